//! Listings, page by page.

use super::support::{BUCKET, Endpoint, put};
use aws_sdk_s3::Client;

/// All keys and common prefixes, in the order of the pages, and the number of pages.
async fn all(client: &Client, prefix: &str, delimiter: Option<&str>, page: i32) -> (Vec<String>, usize) {
    let list = client.list_objects_v2().bucket(BUCKET).prefix(prefix).set_delimiter(delimiter.map(str::to_owned));
    let (mut names, mut pages, mut token) = (Vec::new(), 0, None);
    loop {
        let reply = list.clone().max_keys(page).set_continuation_token(token).send().await.unwrap();
        let keys = reply.contents().iter().filter_map(|object| object.key().map(str::to_owned));
        let mut entries: Vec<_> = keys.collect();
        entries.extend(reply.common_prefixes().iter().filter_map(|common| common.prefix().map(str::to_owned)));
        assert_eq!(entries.len(), reply.key_count().unwrap() as usize);
        assert!(entries.len() <= page as usize);
        entries.sort();
        names.extend(entries);
        pages += 1;
        if !reply.is_truncated().unwrap() {
            return (names, pages);
        }
        token = reply.next_continuation_token().map(str::to_owned);
    }
}

#[tokio::test]
async fn pages_hold_every_key_once_in_the_order_of_bytes() {
    let (_endpoint, client) = Endpoint::with_bucket().await;
    let mut keys: Vec<_> =
        ["a-b", "a/b", "a/b-", "a/b0/c", "a/c/d", "a0", "b/", "é/x", "z/y", "z/ä"].map(String::from).into();
    keys.retain(|key| !key.ends_with('/'));
    keys.extend((0..40).map(|number| format!("many/{:02x}/{number}", number % 7)));
    for key in &keys {
        put(&client, key, "x").await;
    }
    keys.sort();
    for page in [1, 2, 3, 7, 1000] {
        assert_eq!(all(&client, "", None, page).await.0, keys);
    }
    for (prefix, count) in [("a", 6_usize), ("a/", 4), ("a/b", 3), ("many/0", 40), ("many/03/", 6), ("nothing", 0)] {
        let (found, pages) = all(&client, prefix, None, 3).await;
        let wanted: Vec<_> = keys.iter().filter(|key| key.starts_with(prefix)).cloned().collect();
        assert_eq!((found.len(), pages), (count, count.div_ceil(3).max(1)), "{prefix}");
        assert_eq!(found, wanted);
    }
    for page in [1, 2, 5] {
        assert_eq!(all(&client, "", Some("/"), page).await.0, ["a-b", "a/", "a0", "many/", "z/", "é/"]);
        assert_eq!(all(&client, "a/", Some("/"), page).await.0, ["a/b", "a/b-", "a/b0/", "a/c/"]);
    }
}

#[tokio::test]
async fn a_listing_begins_behind_a_key_and_tells_size_and_etag() {
    let (_endpoint, client) = Endpoint::with_bucket().await;
    for key in ["a", "b/c", "b/d", "e"] {
        put(&client, key, key).await;
    }
    let list = client.list_objects_v2().bucket(BUCKET);
    let reply = list.clone().start_after("b/c").send().await.unwrap();
    let found: Vec<_> = reply.contents().iter().map(|object| (object.key().unwrap(), object.size().unwrap())).collect();
    assert_eq!(found, [("b/d", 3), ("e", 1)]);
    let head = client.head_object().bucket(BUCKET).key("e").send().await.unwrap();
    assert_eq!(reply.contents()[1].e_tag(), head.e_tag());
    assert_eq!(list.clone().start_after("b").send().await.unwrap().key_count(), Some(3));
    let none = list.max_keys(0).send().await.unwrap();
    assert_eq!((none.key_count(), none.is_truncated()), (Some(0), Some(false)));
}

#[tokio::test]
async fn no_page_has_more_than_a_thousand_keys() {
    let (_endpoint, client) = Endpoint::with_bucket().await;
    for number in 0..1001 {
        put(&client, &format!("{number}"), "x").await;
    }
    let reply = client.list_objects_v2().bucket(BUCKET).max_keys(5000).send().await.unwrap();
    assert_eq!((reply.key_count(), reply.is_truncated()), (Some(1000), Some(true)));
}

#[tokio::test]
async fn a_listing_beside_deletes_neither_fails_nor_forgets_what_stays() {
    let (_endpoint, client) = Endpoint::with_bucket().await;
    for number in 0..60 {
        put(&client, &format!("goes/{number}"), "x").await;
    }
    put(&client, "stays", "x").await;
    let deletes = tokio::spawn({
        let client = client.clone();
        async move {
            for number in 0..60 {
                client.delete_object().bucket(BUCKET).key(format!("goes/{number}")).send().await.unwrap();
            }
        }
    });
    while !deletes.is_finished() {
        let reply = client.list_objects_v2().bucket(BUCKET).send().await.unwrap();
        assert_eq!(reply.contents().last().unwrap().key(), Some("stays"));
    }
    deletes.await.unwrap();
    assert_eq!(all(&client, "", None, 10).await.0, ["stays"]);
}
