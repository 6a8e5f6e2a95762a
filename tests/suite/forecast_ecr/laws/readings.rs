//! Every way in which the guide's words can be read, and what goes in all and in some of them.

use std::collections::{BTreeMap, BTreeSet};

use prodpin::model::{EcrImage, ImageStatus};
use serde_json::Value;

use super::Suffered;
use crate::forecast_ecr::literal;
use crate::forecast_ecr::literal::Reading;
use crate::forecast_ecr::world::*;

/// Every admissible reading of a small world.
fn readings(world: &World) -> Vec<Reading> {
    let images = &world.images;
    let arrived = |image: &EcrImage| image.activated.or(image.pushed);
    let orders = permutations(images.len()).into_iter().filter(|order| {
        let times: Vec<_> = order.iter().filter_map(|place| arrived(&images[*place])).collect();
        times.is_sorted_by(|a, b| a >= b)
    });
    let unknown: Vec<&EcrImage> =
        images.iter().filter(|image| image.pushed.is_none() || image.archived.is_none()).collect();
    let between: Vec<&EcrImage> = images.iter().filter(|image| image.status == ImageStatus::Activating).collect();
    let has_referrers = images.iter().any(|image| image.subject.is_some());
    let mut readings: Vec<Reading> = orders
        .map(|order| Reading {
            newest_first: order.into_iter().map(|place| images[place].digest.clone()).collect(),
            ancient: BTreeSet::new(),
            between: BTreeMap::new(),
            judges_referrers: true,
            archives_referrers: true,
            boundary_is_older: true,
            archived_holds: true,
        })
        .collect();
    let each = |readings: Vec<Reading>, change: &dyn Fn(&Reading) -> Vec<Reading>| {
        readings.iter().flat_map(change).collect::<Vec<_>>()
    };
    for image in unknown {
        readings = each(readings, &|reading| {
            let mut ancient = reading.clone();
            ancient.ancient.insert(image.digest.clone());
            vec![reading.clone(), ancient]
        });
    }
    for image in between {
        readings = each(readings, &|reading| {
            let classes = [vec!["standard"], vec!["archive"], vec!["standard", "archive"]];
            let judged = classes.map(|classes| {
                let mut reading = reading.clone();
                reading.between.insert(image.digest.clone(), classes);
                reading
            });
            judged.to_vec()
        });
    }
    if has_referrers {
        readings = each(readings, &|reading| {
            let judged = [(true, true), (true, false), (false, true), (false, false)];
            let read = |(judges_referrers, archives_referrers)| Reading {
                judges_referrers,
                archives_referrers,
                ..reading.clone()
            };
            judged.map(read).to_vec()
        });
    }
    let closed = |reading: &Reading| vec![reading.clone(), Reading { boundary_is_older: false, ..reading.clone() }];
    readings = each(readings, &closed);
    if !world.parts.is_empty() {
        let loose = |reading: &Reading| vec![reading.clone(), Reading { archived_holds: false, ..reading.clone() }];
        readings = each(readings, &loose);
    }
    readings
}

fn permutations(count: usize) -> Vec<Vec<usize>> {
    if count == 0 {
        return vec![Vec::new()];
    }
    let shorter = permutations(count - 1);
    let insert = |order: &Vec<usize>, at: usize| {
        let mut order = order.clone();
        order.insert(at, count - 1);
        order
    };
    shorter.iter().flat_map(|order| (0..count).map(|at| insert(order, at)).collect::<Vec<_>>()).collect()
}

/// What goes in some reading, and what goes in all.
pub(super) fn read_all(world: &World, policy: &Value) -> (Suffered, Suffered) {
    let read = |reading: &Reading| literal::suffers(policy, &world.images, &world.parts, now(), reading);
    let mut all = readings(world).iter().map(read).collect::<Vec<_>>().into_iter();
    let first = all.next().unwrap();
    all.fold((first.clone(), first), |(union, common), next| (&union | &next, &common & &next))
}
