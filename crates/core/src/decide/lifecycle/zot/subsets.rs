//! Every choice of so many out of some.

use std::collections::BTreeSet;

/// Every set of `size` of the members; none if there are more than `most`.
pub(super) fn subsets<K: Copy + Ord>(members: &[K], size: usize, most: usize) -> Option<Vec<BTreeSet<K>>> {
    let mut found = vec![BTreeSet::new()];
    for (place, member) in members.iter().enumerate() {
        let left = members.len() - place - 1;
        let mut next: Vec<BTreeSet<K>> = Vec::new();
        for set in found {
            if set.len() + left >= size {
                next.push(set.clone());
            }
            if set.len() < size {
                let mut with = set;
                with.insert(*member);
                next.push(with);
            }
        }
        if next.len() > most {
            return None;
        }
        found = next;
    }
    Some(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_choice_is_there_once_and_too_many_are_none() {
        let members = [1, 2, 3, 4];
        let two = subsets(&members, 2, 64).unwrap();
        assert_eq!(two.len(), 6);
        assert_eq!(two.iter().collect::<BTreeSet<_>>().len(), 6);
        assert!(two.iter().all(|set| set.len() == 2));
        assert_eq!(subsets(&members, 4, 64).unwrap(), [BTreeSet::from(members)]);
        assert_eq!(subsets(&members, 0, 64).unwrap(), [BTreeSet::new()]);
        assert_eq!(subsets::<u8>(&[], 0, 64).unwrap(), [BTreeSet::new()]);
        assert_eq!(subsets(&members, 2, 5), None);
    }
}
