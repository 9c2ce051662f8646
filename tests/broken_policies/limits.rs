//! Broken limits.
//!
//! Nothing here says why: that is what the messages beside the fixtures are for.

use super::refused;

#[test]
fn by_of_wrong_type() {
    refused("by_of_wrong_type");
}

#[test]
fn by_too_many() {
    refused("by_too_many");
}

#[test]
fn by_twice() {
    refused("by_twice");
}

#[test]
fn by_what_nothing_is_counted_by() {
    refused("by_what_nothing_is_counted_by");
}

#[test]
fn calendar_of_other_lengths() {
    refused("calendar_of_other_lengths");
}

#[test]
fn calendar_with_burst() {
    refused("calendar_with_burst");
}

#[test]
fn concurrent_out_of_range() {
    refused("concurrent_out_of_range");
}

#[test]
fn concurrent_with_other_keys() {
    refused("concurrent_with_other_keys");
}

#[test]
fn increment_above_burst() {
    refused("increment_above_burst");
}

#[test]
fn increment_and_increment_from() {
    refused("increment_and_increment_from");
}

#[test]
fn increment_from_outside_args() {
    refused("increment_from_outside_args");
}

#[test]
fn increment_from_with_burst() {
    refused("increment_from_with_burst");
}

#[test]
fn increment_out_of_range() {
    refused("increment_out_of_range");
}

#[test]
fn max_too_large() {
    refused("max_too_large");
}

#[test]
fn month_that_rolls() {
    refused("month_that_rolls");
}

#[test]
fn shadow_of_wrong_type() {
    refused("shadow_of_wrong_type");
}

#[test]
fn unknown_align() {
    refused("unknown_align");
}

#[test]
fn unknown_scope() {
    refused("unknown_scope");
}

#[test]
fn refund_on_what_is_no_failure() {
    refused("refund_on_what_is_no_failure");
}

#[test]
fn refund_on_with_burst() {
    refused("refund_on_with_burst");
}
