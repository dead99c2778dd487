//! The workloads, one file for each kind of content.

mod blobs;
mod deletes;
mod lists;
mod manifests;
mod memory;
mod policies;

use crate::workload::{Scale, Size, Workload};

/// All of them, in the order of the table.
pub(crate) fn all(scale: &Scale) -> Vec<Box<dyn Workload>> {
    use manifests::{Get, Head, Put};
    vec![
        Box::new(Get::by_tag(scale)),
        Box::new(Get::by_digest(scale)),
        Box::new(Get::beside_many(scale)),
        Box::new(Head::new(scale)),
        Box::new(Put::new(scale, 1)),
        Box::new(Put::new(scale, 8)),
        Box::new(Put::new(scale, 64)),
        Box::new(blobs::Small::new(scale)),
        Box::new(blobs::Upload::whole(scale)),
        Box::new(blobs::Upload::in_parts(scale)),
        Box::new(blobs::Download::new(scale)),
        Box::new(lists::Tags::first_page(scale)),
        Box::new(lists::Tags::middle_page(scale)),
        Box::new(deletes::Delete::new(scale, Size::Some)),
        Box::new(deletes::Delete::new(scale, Size::Many)),
        Box::new(lists::Catalog::first_page(scale)),
        Box::new(lists::Catalog::middle_page(scale)),
        Box::new(memory::Memory),
        // Behind the memory, since its millions of tags would be all that is seen there.
        Box::new(policies::Policies::new(scale)),
    ]
}
