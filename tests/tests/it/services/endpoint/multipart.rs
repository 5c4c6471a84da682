//! Uploads in parts.

use super::support::{BUCKET, Endpoint, code, put};
use aws_sdk_s3::Client;
use aws_sdk_s3::error::ProvideErrorMetadata;
use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::{ChecksumAlgorithm, CompletedMultipartUpload, CompletedPart};
use tokio::task::JoinSet;

const PART: usize = 5 << 20;

async fn begin(client: &Client, key: &str) -> String {
    let create = client.create_multipart_upload().bucket(BUCKET).key(key).metadata("digest", "abc");
    let create = create.content_type("text/plain").checksum_algorithm(ChecksumAlgorithm::Crc32);
    create.send().await.unwrap().upload_id.unwrap()
}

async fn part(client: &Client, key: &str, id: &str, number: i32, bytes: Vec<u8>) -> CompletedPart {
    let upload = client.upload_part().bucket(BUCKET).key(key).upload_id(id).part_number(number);
    let reply = upload.checksum_algorithm(ChecksumAlgorithm::Crc32).body(ByteStream::from(bytes)).send().await.unwrap();
    assert!(reply.checksum_crc32().is_some());
    let part = CompletedPart::builder().part_number(number).set_e_tag(reply.e_tag);
    part.set_checksum_crc32(reply.checksum_crc32).build()
}

fn parts(parts: impl IntoIterator<Item = CompletedPart>) -> CompletedMultipartUpload {
    CompletedMultipartUpload::builder().set_parts(Some(parts.into_iter().collect())).build()
}

#[tokio::test]
async fn parts_become_an_object_with_the_metadata_of_the_beginning() {
    let (_endpoint, client) = Endpoint::with_bucket().await;
    let id = begin(&client, "key").await;
    let second = part(&client, "key", &id, 2, vec![2; 10]).await;
    let first = part(&client, "key", &id, 1, vec![1; PART]).await;
    let list = client.list_parts().bucket(BUCKET).key("key").upload_id(&id);
    let page = list.clone().max_parts(1).send().await.unwrap();
    assert_eq!((page.parts()[0].size(), page.is_truncated()), (Some(PART as i64), Some(true)));
    let page = list.part_number_marker(page.next_part_number_marker().unwrap()).send().await.unwrap();
    assert_eq!((page.parts()[0].e_tag(), page.is_truncated()), (second.e_tag(), Some(false)));

    let complete = client.complete_multipart_upload().bucket(BUCKET).key("key").upload_id(&id);
    let etag = complete.multipart_upload(parts([first, second])).send().await.unwrap().e_tag.unwrap();
    let get = client.get_object().bucket(BUCKET).key("key").send().await.unwrap();
    assert_eq!((get.e_tag(), get.content_type()), (Some(etag.as_str()), Some("text/plain")));
    assert_eq!(get.metadata().unwrap()["digest"], "abc");
    let bytes = get.body.collect().await.unwrap().to_vec();
    assert_eq!((bytes.len(), bytes[PART - 1], bytes[PART]), (PART + 10, 1, 2));
    let gone = client.list_parts().bucket(BUCKET).key("key").upload_id(&id).send().await;
    assert_eq!(code(gone), "NoSuchUpload");
}

#[tokio::test]
async fn of_many_conditional_completions_of_a_key_exactly_one_wins() {
    let (_endpoint, client) = Endpoint::with_bucket().await;
    let mut completions = JoinSet::new();
    for _ in 0..8 {
        let id = begin(&client, "key").await;
        let part = part(&client, "key", &id, 1, vec![1; 10]).await;
        let complete = client.complete_multipart_upload().bucket(BUCKET).key("key").upload_id(&id);
        completions.spawn(complete.multipart_upload(parts([part])).if_none_match("*").send());
    }
    let results = completions.join_all().await;
    let codes: Vec<_> = results.into_iter().filter_map(|result| Some(result.err()?.code()?.to_owned())).collect();
    assert_eq!(codes, ["PreconditionFailed"; 7]);
    assert_eq!(client.list_multipart_uploads().bucket(BUCKET).send().await.unwrap().uploads().len(), 7);
}

#[tokio::test]
async fn a_list_of_parts_that_does_not_fit_leaves_the_upload_as_it_is() {
    let (_endpoint, client) = Endpoint::with_bucket().await;
    let id = begin(&client, "key").await;
    let [first, second] =
        [part(&client, "key", &id, 1, vec![1; 10]).await, part(&client, "key", &id, 2, vec![2; 10]).await];
    let other = CompletedPart::builder().part_number(1).e_tag("\"0\"").build();
    let absent = CompletedPart::builder().part_number(3).set_e_tag(first.e_tag.clone()).build();
    for (list, problem) in [
        (parts([first.clone(), second.clone()]), "EntityTooSmall"),
        (parts([second.clone(), first.clone()]), "InvalidPartOrder"),
        (parts([other]), "InvalidPart"),
        (parts([first.clone(), absent]), "InvalidPart"),
        (parts([second.clone()]), "NotImplemented"),
        (parts([]), "MalformedXML"),
    ] {
        let complete = client.complete_multipart_upload().bucket(BUCKET).key("key").upload_id(&id);
        assert_eq!(code(complete.multipart_upload(list).send().await), problem);
    }
    let complete = client.complete_multipart_upload().bucket(BUCKET).key("key").upload_id(&id);
    complete.multipart_upload(parts([first])).send().await.unwrap();
}

#[tokio::test]
async fn a_part_that_does_not_match_its_checksum_is_refused() {
    let (_endpoint, client) = Endpoint::with_bucket().await;
    let id = begin(&client, "key").await;
    let upload = client.upload_part().bucket(BUCKET).key("key").upload_id(&id).part_number(1);
    let upload = upload.checksum_crc32("AAAAAA==").body(ByteStream::from_static(b"x"));
    assert_eq!(code(upload.send().await), "BadDigest");
    let list = client.list_parts().bucket(BUCKET).key("key").upload_id(&id).send().await.unwrap();
    assert_eq!(list.parts().len(), 0);
}

#[tokio::test]
async fn uploads_under_way_are_listed_until_they_are_aborted() {
    let (_endpoint, client) = Endpoint::with_bucket().await;
    put(&client, "a/whole", "x").await;
    let mut begun = Vec::new();
    for key in ["a/1", "a/1", "a/2", "b/3"] {
        begun.push((key.to_owned(), begin(&client, key).await));
    }
    begun.sort();
    let list = client.list_multipart_uploads().bucket(BUCKET);
    let (mut found, mut marks) = (Vec::new(), (None, None));
    loop {
        let page = list.clone().max_uploads(1).set_key_marker(marks.0).set_upload_id_marker(marks.1);
        let page = page.send().await.unwrap();
        found.extend(
            page.uploads().iter().map(|upload| (upload.key.clone().unwrap(), upload.upload_id.clone().unwrap())),
        );
        if page.is_truncated() != Some(true) {
            break;
        }
        marks = (page.next_key_marker, page.next_upload_id_marker);
    }
    assert_eq!(found, begun);
    assert_eq!(list.clone().key_marker("a/1").send().await.unwrap().uploads().len(), 2);

    for (key, id) in begun.iter().filter(|(key, _)| key.starts_with("a/")) {
        part(&client, key, id, 1, vec![1; 10]).await;
        let abort = client.abort_multipart_upload().bucket(BUCKET).key(key).upload_id(id);
        abort.clone().send().await.unwrap();
        assert_eq!(code(abort.send().await), "NoSuchUpload");
    }
    assert_eq!(list.clone().prefix("a/").send().await.unwrap().uploads().len(), 0);
    assert_eq!(list.send().await.unwrap().uploads().len(), 1);
}
