//! What ties a database to the servers that use it: the key that signs their tokens, and the place of their images.
//!
//! The database keeps a fingerprint of the key and the name of the place. Who comes with others is refused: he would sign
//! tokens that the other servers do not know, look for images where there are none, and take those of another board for
//! nobody's. So several servers may share a database, if they share the rest as well.

use aws_lc_rs::digest;
use greenlit::{Db, Opts, Reader, Tx, args};

use crate::secret::{Key, hex};

crate::statements! {
    FIND = "select value from installation where name = ?";
    CHANGE = "update installation set value = ? where name = ?";
    ADD = "insert into installation (name, value) values (?, ?)";
    FORGET = "delete from installation where name = ?";
}

const KEY: &str = "key";
const IMAGES: &str = "images";
const RESTORING: &str = "restoring";

/// What a server brings with it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Server<'a> {
    pub(crate) key: &'a Key,
    pub(crate) old_key: Option<&'a Key>,
    /// [`Store::place`](crate::media::store::Store::place) of its images.
    pub(crate) images: &'a str,
}

/// Why a server does not belong to the database.
#[derive(Debug)]
pub(crate) enum Refused {
    AnotherKey,
    OtherImages {
        known: String,
    },
    /// A restore from this snapshot did not come to its end.
    HalfRestored {
        snapshot: String,
    },
    Database(greenlit::Error),
}

impl From<greenlit::Error> for Refused {
    fn from(e: greenlit::Error) -> Refused {
        Refused::Database(e)
    }
}

/// Sees whether the server belongs to the database; the first one decides. A key whose predecessor is known takes its place.
/// With `adopt` the server is right in any case, and the database is what changes.
///
/// # Errors
/// See [`Refused`].
pub(crate) async fn join(db: &Db, server: Server<'_>, adopt: bool) -> Result<(), Refused> {
    let (key, images) = (fingerprint(server.key), server.images);
    let old_key = server.old_key.map(fingerprint);
    let join = async |tx: &mut Tx| {
        if let Some(snapshot) = find(tx, RESTORING).await? {
            return Err(Refused::HalfRestored { snapshot });
        }
        match find(tx, KEY).await? {
            Some(known) if known == key => {}
            Some(known) if !adopt && old_key.as_ref() != Some(&known) => return Err(Refused::AnotherKey),
            _ => set(tx, KEY, &key).await?,
        }
        match find(tx, IMAGES).await? {
            Some(known) if known == images => {}
            Some(known) if !adopt => return Err(Refused::OtherImages { known }),
            _ => set(tx, IMAGES, images).await?,
        }
        Ok(())
    };
    match db.tx(Opts::default(), join).await {
        // Another server was the first at the same time.
        Err(Refused::Database(e)) if e.unique().is_some() => db.tx(Opts::default(), join).await,
        joined => joined,
    }
}

/// The place of the images, if a server has told it.
pub(crate) async fn images(r: &mut impl Reader) -> greenlit::Result<Option<String>> {
    find(r, IMAGES).await
}

/// The snapshot that is being restored, if one is.
pub(crate) async fn restoring(r: &mut impl Reader) -> greenlit::Result<Option<String>> {
    find(r, RESTORING).await
}

/// Keeps servers away until [`restored`].
pub(crate) async fn begin_restore(tx: &mut Tx, snapshot: &str) -> greenlit::Result<()> {
    set(tx, RESTORING, snapshot).await
}

/// All is there, with the images at this place: the next server may come, with the key that it has.
pub(crate) async fn restored(tx: &mut Tx, images: &str) -> greenlit::Result<()> {
    for name in [RESTORING, KEY] {
        tx.exec(FORGET, args![name]).await?;
    }
    set(tx, IMAGES, images).await
}

/// Whether a server has used the database.
pub(crate) async fn is_used(r: &mut impl Reader) -> greenlit::Result<bool> {
    Ok(find(r, KEY).await?.is_some())
}

async fn find(r: &mut impl Reader, name: &str) -> greenlit::Result<Option<String>> {
    Ok(r.fetch_optional::<(String,)>(FIND, args![name]).await?.map(|(value,)| value))
}

async fn set(tx: &mut Tx, name: &str, value: &str) -> greenlit::Result<()> {
    if tx.exec(CHANGE, args![value, name]).await? == 0 {
        tx.exec(ADD, args![name, value]).await?;
    }
    Ok(())
}

/// Tells keys apart, and nothing about them.
fn fingerprint(key: &Key) -> String {
    let mut context = digest::Context::new(&digest::SHA256);
    context.update(b"the fingerprint of madang's key");
    context.update(key.bytes());
    hex(&context.finish().as_ref()[..16])
}
