//! The masking of a text on its way into the audit trail.

use std::hint::black_box;

use crate::Work;

pub(crate) fn nothing() -> Work {
    text("order 42 of the shop in the old town was shipped on Monday")
}

pub(crate) fn personal() -> Work {
    text("card 4111 1111 1111 1111 of jane.doe@example.com, again on Monday")
}

fn text(text: &'static str) -> Work {
    Box::new(move || {
        black_box(audit::mask(black_box(text)).len());
    })
}
