use std::time::Duration;

use futures_util::TryStreamExt;

use super::*;
use crate::media::picture::Format;

fn name(key: usize) -> Name {
    Name::parse(&format!("{key:032x}.png")).unwrap()
}

async fn store() -> (tempfile::TempDir, LocalStore) {
    let folder = tempfile::tempdir().unwrap();
    let store = LocalStore::open(folder.path().join("images")).await.unwrap();
    (folder, store)
}

fn files(store: &LocalStore) -> Vec<String> {
    let mut names = Vec::new();
    for shard in shards(&store.folder) {
        let visit = |_: &Path, name: &str| {
            names.push(name.to_owned());
            Ok(())
        };
        for_each_file(&shard, visit).unwrap();
    }
    names
}

async fn names(store: &LocalStore) -> Vec<Name> {
    store.list().try_collect().await.unwrap()
}

#[tokio::test]
async fn objects_come_back_and_go() {
    let (_folder, store) = store().await;
    let name = name(7);
    store.put(&name, b"one".to_vec()).await.unwrap();
    store.put(&name, b"two".to_vec()).await.unwrap();
    assert_eq!(store.get(&name).await.unwrap(), b"two");
    assert_eq!(store.head(&name).await.unwrap().length, 3);
    let object = store.open_object(&name, Some(1..3)).await.unwrap();
    let part: Vec<bytes::Bytes> = object.pieces.try_collect().await.unwrap();
    assert_eq!((object.length, part.concat()), (3, b"wo".to_vec()));
    let path = store.path(&name);
    assert!(path.ends_with(format!("00/{name}")));
    assert_eq!(fs::metadata(path).unwrap().permissions().mode() & 0o777, 0o644);
    assert_eq!(names(&store).await, std::slice::from_ref(&name));

    let absent = store.get(&name.thumbnail()).await.unwrap_err();
    assert_eq!(absent.kind(), ErrorKind::NotFound);
    store.delete(&name).await.unwrap();
    store.delete(&name).await.unwrap();
    assert!(files(&store).is_empty());
}

#[tokio::test]
async fn opening_again_keeps_what_is_there() {
    let (_folder, store) = store().await;
    let name = Name::random(Format::Webp);
    store.put(&name, b"x".to_vec()).await.unwrap();
    let again = LocalStore::open(&*store.folder).await.unwrap();
    assert_eq!(again.get(&name).await.unwrap(), b"x");
}

#[tokio::test]
async fn a_copy_without_empty_folders_is_read_and_left_as_it_is() {
    let (_folder, store) = store().await;
    store.put(&name(1), b"x".to_vec()).await.unwrap();
    fs::remove_dir(store.folder.join("ff")).unwrap();
    let beside = LocalStore::existing(&*store.folder).await.unwrap();
    assert_eq!(names(&beside).await, [name(1)]);
    assert!(!store.folder.join("ff").exists());
    let nowhere = LocalStore::existing(store.folder.join("ff")).await;
    assert_eq!(nowhere.unwrap_err().kind(), ErrorKind::NotFound);
}

#[tokio::test]
async fn u14_a_disk_is_not_filled_to_its_end() {
    let (_folder, mut store) = store().await;
    store.reserve = 0;
    store.check_room().await.unwrap();
    store.reserve = u64::MAX;
    assert_eq!(store.check_room().await.unwrap_err().kind(), ErrorKind::StorageFull);
}

#[tokio::test]
async fn a_failed_put_leaves_nothing() {
    let (_folder, store) = store().await;
    // A folder in the object's place: the last step, the renaming, fails.
    let path = store.path(&name(1));
    fs::create_dir(&path).unwrap();
    fs::write(path.join("in the way"), b"").unwrap();
    store.put(&name(1), b"x".to_vec()).await.unwrap_err();
    assert_eq!(files(&store), [name(1).to_string()]);
}

#[tokio::test]
async fn a_cancelled_put_leaves_the_whole_object_or_nothing() {
    let (_folder, store) = store().await;
    let bytes = vec![7; 1 << 20];
    for i in 0..20 {
        let name = name(i);
        let put = store.put(&name, bytes.clone());
        // Some are dropped before their first poll, most on the way.
        tokio::time::timeout(Duration::from_micros(i as u64 * 50), put).await.ok();
    }
    // Blocking work that has begun ends on its own; only then there is nothing temporary.
    for _ in 0..200 {
        if files(&store).iter().all(|name| !name.starts_with(TEMPORARY)) {
            break;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    for name in names(&store).await {
        assert_eq!(store.get(&name).await.unwrap(), bytes);
    }
    assert!(files(&store).iter().all(|name| !name.starts_with(TEMPORARY)));
}

#[tokio::test]
async fn leftovers_of_a_crash_are_swept_and_nothing_else() {
    let (_folder, store) = store().await;
    store.put(&name(1), b"x".to_vec()).await.unwrap();
    let shard = store.folder.join("00");
    fs::write(shard.join(".tmp-a1B2c3"), b"half").unwrap();
    fs::write(shard.join("README"), b"not ours").unwrap();
    assert_eq!(names(&store).await, [name(1)]);
    assert_eq!(store.sweep_leftovers().await.unwrap(), 1);
    assert_eq!(store.sweep_leftovers().await.unwrap(), 0);
    let mut left = files(&store);
    left.sort();
    assert_eq!(left, [name(1).to_string(), "README".to_owned()]);
}
