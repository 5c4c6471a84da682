//! Listings of several backends become one.

use crate::BlobInfo;
use std::collections::BTreeMap;

/// The first of all names, each once, as the first of the listings that has it describes it. Each listing holds its first
/// `limit` names.
pub(super) fn merged(listings: Vec<Vec<BlobInfo>>, limit: usize) -> Vec<BlobInfo> {
    let mut all = BTreeMap::new();
    for info in listings.into_iter().flatten() {
        all.entry(info.id).or_insert(info);
    }
    all.into_values().take(limit).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::BlobId;

    #[test]
    fn each_name_comes_once_from_the_first_that_has_it() {
        let info = |n: u8, size| BlobInfo::new(BlobId::from_bytes([n; 16]), size);
        let listings = vec![vec![info(2, 1), info(5, 1)], vec![info(1, 2), info(2, 2)], vec![info(3, 3)]];
        let merged = merged(listings, 3);
        let told: Vec<_> = merged.iter().map(|info| (info.id.as_bytes()[0], info.size)).collect();
        assert_eq!(told, [(1, 2), (2, 1), (3, 3)]);
    }
}
