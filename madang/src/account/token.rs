//! Access tokens: JWTs of one algorithm, made and read here alone.
//!
//! A token names its user and the log-in that it came from, so that either can be ended at once.

use std::time::Duration;

use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use serde::{Deserialize, Serialize};

use super::{UserId, model::LoginId, refresh::RefreshTokens};
use crate::{
    clock::Clock,
    error::{Error, Result},
    secret::Key,
};

/// How long a token lasts.
pub(super) const LIFETIME: Duration = Duration::from_secs(24 * 60 * 60);
/// How far the clocks of two nodes may be apart, in seconds.
const LEEWAY: i64 = 5;
/// No token of ours comes near.
const MOST_BYTES: usize = 2_048;
const ISSUER: &str = "madang";
const AUDIENCE: &str = "madang:access";
const ALGORITHM: Algorithm = Algorithm::HS256;

/// Makes and checks access tokens, and refresh tokens.
pub struct Tokens {
    pub(super) refresh: RefreshTokens,
    signing: EncodingKey,
    /// Ours first, then the one before it.
    checking: Vec<DecodingKey>,
    validation: Validation,
    clock: Clock,
}

#[derive(Serialize, Deserialize)]
struct Claims {
    sub: String,
    iss: String,
    aud: String,
    iat: i64,
    nbf: i64,
    exp: i64,
    /// The user's token epoch when the token was made: raising the user's ends all his tokens.
    epoch: i64,
    /// The log-in that the token came from.
    sid: i64,
}

/// Whom a token names; the user may be gone by now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Bearer {
    pub(super) user: UserId,
    pub(super) login: LoginId,
    pub(super) epoch: i64,
}

impl Tokens {
    /// Tokens signed with this key; those signed with the old one are good too.
    pub fn new(key: &Key, old: Option<&Key>, clock: Clock) -> Tokens {
        let mut validation = Validation::new(ALGORITHM);
        validation.set_audience(&[AUDIENCE]);
        validation.set_issuer(&[ISSUER]);
        validation.set_required_spec_claims(&["exp", "nbf", "aud", "iss", "sub"]);
        // Times are checked below, by our own clock.
        validation.validate_exp = false;
        validation.validate_nbf = false;
        Tokens {
            refresh: RefreshTokens::new(key, old),
            signing: EncodingKey::from_secret(key.bytes()),
            checking: [key].into_iter().chain(old).map(|key| DecodingKey::from_secret(key.bytes())).collect(),
            validation,
            clock,
        }
    }

    pub(super) fn make(&self, bearer: Bearer) -> Result<String> {
        let now = self.clock.now();
        let claims = Claims {
            sub: bearer.user.0.to_string(),
            iss: ISSUER.to_owned(),
            aud: AUDIENCE.to_owned(),
            iat: now.seconds(),
            nbf: now.seconds(),
            exp: now.after(LIFETIME).seconds(),
            epoch: bearer.epoch,
            sid: bearer.login.0,
        };
        jsonwebtoken::encode(&Header::new(ALGORITHM), &claims, &self.signing).map_err(Error::internal)
    }

    /// Whom the token names, if we made it, in this form, and it is valid now.
    pub(super) fn check(&self, token: &str) -> Option<Bearer> {
        if token.len() > MOST_BYTES {
            return None;
        }
        let read = |key| jsonwebtoken::decode::<Claims>(token, key, &self.validation).ok();
        let claims = self.checking.iter().find_map(read)?.claims;
        let now = self.clock.now().seconds();
        let timely = claims.exp.saturating_add(LEEWAY) > now
            && claims.nbf.saturating_sub(LEEWAY) <= now
            && claims.iat.saturating_sub(LEEWAY) <= now;
        let user = claims.sub.parse().ok().filter(|id| *id > 0)?;
        timely.then_some(Bearer { user: UserId(user), login: LoginId(claims.sid), epoch: claims.epoch })
    }
}
