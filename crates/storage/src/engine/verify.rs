//! Verification: every record, every byte behind it, and every blob that nobody names.

use super::leftover;
use super::{Engine, Stored, payload};
use crate::{BlobId, Content, EntryKey, Fields, GetBlob, Location, Query, Record, Trailer};
use cacheness_core::{Error, ErrorKind, Result};

/// How many records or blobs are looked at together.
const BATCH: usize = 256;

/// How many problems are listed; the others are counted.
const LISTED: usize = 1000;

/// What a verification found.
#[derive(Debug, Default)]
#[non_exhaustive]
pub struct Verified {
    /// Records that were looked at.
    pub entries: u64,
    /// Stored bytes whose digest was computed.
    pub bytes: u64,
    /// What is wrong with entries: the first thousand.
    pub problems: Vec<Problem>,
    /// How many entries something is wrong with.
    pub damaged: u64,
    /// Blobs that the index does not know, for a sweep to judge.
    pub unreferenced: u64,
    /// Condemned blobs that are not forgotten yet.
    pub condemned: u64,
    /// Files in the staging directory, of puts under way or left by killed processes.
    pub staging_files: u64,
}

/// An entry whose value cannot be returned.
#[derive(Debug)]
#[non_exhaustive]
pub struct Problem {
    /// Its key.
    pub key: String,
    /// What is wrong with it.
    pub error: Error,
}

impl Verified {
    /// Whether every value can be returned.
    pub fn is_clean(&self) -> bool {
        self.damaged == 0
    }

    fn note(&mut self, key: &EntryKey, error: Error) {
        self.damaged += 1;
        if self.problems.len() < LISTED {
            self.problems.push(Problem { key: key.to_string(), error });
        }
    }
}

impl Engine {
    /// Reads every record and all stored bytes, and compares them with their digests. It changes nothing, and work may go
    /// on beside it.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Closed`], and what the backends return; damage is no error but a finding.
    pub async fn verify(&self) -> Result<Verified> {
        self.check_open()?;
        let mut verified = Verified::default();
        let mut query = Query::new().limit(BATCH).fields(Fields::ALL);
        loop {
            let page = self.metadata.page(&query, query.after.clone()).await?;
            for key in &page.unreadable {
                match self.metadata.get(std::slice::from_ref(key), Fields::ALL).await {
                    Err(error) if is_damage(&error) => verified.note(key, error),
                    Err(error) => return Err(error),
                    Ok(_) => {}
                }
            }
            for record in page.records {
                self.verify_record(record, &mut verified).await?;
            }
            match page.next {
                Some(next) => query = query.after(next),
                None => break,
            }
        }
        self.verify_blobs(&mut verified).await?;
        Ok(verified)
    }

    async fn verify_record(&self, record: Record, verified: &mut Verified) -> Result<()> {
        verified.entries += 1;
        match self.verify_bytes(&record).await {
            Ok(size) => verified.bytes += size,
            Err(error) if is_damage(&error) => {
                // Another version may have taken its place meanwhile, or none.
                let again = self.record(&record.key, Fields::LEAST).await?;
                if again.is_some_and(|again| again.version == record.version) {
                    verified.note(&record.key, error.key(&record.key));
                }
            }
            Err(error) => return Err(error),
        }
        Ok(())
    }

    /// Compares what is stored of a record with its digest, and changes nothing.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Corrupt`] for bytes that are not the record's, [`ErrorKind::Storage`] when they cannot be read.
    pub async fn verify_stored(&self, record: &Record, stored: Stored) -> Result<()> {
        let content = record.content.clone();
        self.driver.compute(move || payload::verify(&content, stored).map(drop)).await
    }

    /// Compares the stored bytes of a record with its digest; says how many there are.
    async fn verify_bytes(&self, record: &Record) -> Result<u64> {
        let Some(stored) = self.stored(record, true).await? else {
            let message = format!("its blob {} is missing", record.blob().map(|id| id.to_string()).unwrap_or_default());
            return Err(Error::new(ErrorKind::Corrupt, message));
        };
        self.verify_stored(record, stored).await?;
        if let Location::Blob(id) = record.location {
            self.verify_trailer(id, &record.content).await?;
        }
        Ok(record.content.stored_size)
    }

    async fn verify_trailer(&self, id: BlobId, content: &Content) -> Result<()> {
        let range = Some(content.stored_size..u64::MAX);
        let behind = GetBlob { range, bypass_copies: true, ..GetBlob::default() };
        let Some(found) = self.blobs.get(&id, behind).await? else {
            return Err(Error::new(ErrorKind::Corrupt, format!("its blob {id} is missing")));
        };
        let trailer = Trailer::from_end_of(&found.body.read()?)?;
        if (trailer.blob, trailer.store, trailer.content.digest) != (id, self.store, content.digest) {
            return Err(Error::new(
                ErrorKind::Corrupt,
                format!("the trailer of its blob {id} belongs to another blob"),
            ));
        }
        Ok(())
    }

    async fn verify_blobs(&self, verified: &mut Verified) -> Result<()> {
        let mut after = None;
        loop {
            let page = self.blobs.list(after, BATCH).await?;
            let Some(last) = page.last() else { break };
            after = Some(last.id);
            let ids = page.iter().map(|blob| blob.id).filter(|id| *id != BlobId::STORE).collect();
            verified.unreferenced += self.unknown(ids).await?.len() as u64;
        }
        verified.condemned = self.metadata.stats().await?.condemned;
        if let Some(directory) = self.blobs.staging() {
            verified.staging_files = leftover::files(directory)?.count() as u64;
        }
        Ok(())
    }
}

fn is_damage(error: &Error) -> bool {
    matches!(error.kind(), ErrorKind::Corrupt | ErrorKind::FormatTooNew | ErrorKind::Signature)
}
