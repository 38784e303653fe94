//! Many users at once, without the time that it takes to hash their passwords.

use greenlit::{Opts, args};
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use madang::account::Nickname;
use serde_json::json;

use super::{Client, TestApp};

impl TestApp {
    /// So many users, `crowd0`, `crowd1` and so on, who are logged in and have no passwords.
    pub(crate) async fn crowd(&self, count: usize) -> Vec<Client> {
        let sql = "insert into users (email, email_key, nickname, nickname_key, password_hash, token_epoch, create_dt) \
                   values (?, ?, ?, ?, '', 1, 0)";
        let login = "insert into logins (user_id, family_hash, generation, create_dt, rotate_dt, expire_dt) \
                     values (?, ?, 0, 0, 0, ?)";
        let all = async |tx: &mut greenlit::Tx| {
            let mut ids = Vec::new();
            for n in 0..count {
                let (name, email) = (format!("crowd{n}"), format!("crowd{n}@example.com"));
                let id = tx.insert(sql, args![&email, &email, &name, Nickname::parse(&name).unwrap().key()]).await?;
                ids.push((id, tx.insert(login, args![id, &name, i64::MAX]).await?));
            }
            Ok::<_, greenlit::Error>(ids)
        };
        let ids = self.app.db.tx(Opts::default(), all).await.unwrap();
        let key = EncodingKey::from_secret(self.key().bytes());
        let now = self.clock.now().seconds();
        let client = |(n, (id, login)): (usize, (i64, i64))| {
            let claims = json!({"sub": id.to_string(), "iss": "madang", "aud": "madang:access", "iat": now, "nbf": now,
                                "exp": now + 3_600, "epoch": 1, "sid": login});
            let token = jsonwebtoken::encode(&Header::new(Algorithm::HS256), &claims, &key).unwrap();
            Client { token: Some(token), name: format!("crowd{n}"), id, ..self.anonymous() }
        };
        ids.into_iter().enumerate().map(client).collect()
    }
}
