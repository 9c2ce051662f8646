//! What the policy promises.
