//! What must hold of any policy, any call and any bytes that claim to be JSON. Shared by the fuzz targets and by the test that
//! replays their corpus.
//!
//! Nothing here makes inputs. A promise that does not hold is a panic.

use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};
use toolgate::json::{Document, Duplicates, Kind, Reader, Value};
use toolgate::policy::{Call, Decision, Denial, Facts, Format, Policy, PolicyText};

/// What stands between the parts of an input: no JSON document has it.
const BETWEEN: u8 = 0;

/// Work that any input may cost: one judgement has a budget of a million steps, and there are two for each call.
const WORK: Duration = Duration::from_secs(2);

/// Work that each byte of an input may cost besides: some twenty times what it takes in a debug build, so that only what
/// grows faster than the input comes near.
const WORK_PER_BYTE: Duration = Duration::from_micros(20);

/// An input is a policy, the name of a tool and its arguments. Without the others the policy is its own arguments.
///
/// It loads or says why; whatever loads judges any call, twice in the same way, with words for every refusal.
pub fn policy(data: &[u8]) {
    within_bounds(data, |data| {
        let mut parts = data.splitn(3, |byte| *byte == BETWEEN);
        let source = parts.next().unwrap_or_default();
        let tool = parts.next().unwrap_or(b"t");
        let arguments = parts.next().unwrap_or(source);
        let policy = match Policy::compile(source) {
            Ok(policy) => policy,
            Err(mistakes) => {
                assert!(!mistakes.is_empty(), "a refusal says why");
                assert!(
                    mistakes
                        .iter()
                        .all(|mistake| !mistake.to_string().is_empty())
                );
                return;
            }
        };
        let tool = String::from_utf8_lossy(tool);
        let mut reader = Reader::new(Duplicates::Refused);
        let document = reader.read(arguments).ok();
        let call = Call {
            tool: &tool,
            arguments: document.as_ref().map(Document::root),
        };
        assert_eq!(told(&policy, &call), told(&policy, &call));
    });
}

/// Any bytes as a policy file in YAML. It is refused with reasons, or loads and has a canonical form, which is one already.
pub fn yaml(data: &[u8]) {
    within_bounds(data, |data| {
        let text = |bytes, format| PolicyText { bytes, format };
        match text(data, Format::Yaml).canonical() {
            Err(mistakes) => assert!(!mistakes.is_empty(), "a refusal says why"),
            Ok(canonical) => {
                let compiled = text(data, Format::Yaml).compile();
                assert!(compiled.is_ok(), "what can be converted loads");
                let again = text(canonical.text.as_bytes(), Format::Json).canonical();
                let again = again.map(|again| again.text);
                assert_eq!(again.as_ref(), Ok(&canonical.text));
            }
        }
    });
}

/// Everything that can be told of one call.
fn told(policy: &Policy, call: &Call<'_>) -> (String, usize) {
    let judgement = policy.decide(call, &Facts::NONE);
    let decision = match &judgement.decision {
        Decision::Allow(permit) => format!("allow {}", permit.charges().len()),
        Decision::Hold(held) => format!("hold {} {}", held.rule.id, held.sentence(call.tool)),
        Decision::Deny(denial) => denied(denial, call.tool),
    };
    (decision, judgement.shadowed.len())
}

fn denied(denial: &Denial<'_>, tool: &str) -> String {
    let (kind, rule) = (denial.kind(), denial.rule().unwrap_or("-"));
    format!("{kind} {rule} {}", denial.sentence(tool))
}

/// Any bytes. What is read is JSON to another reader too, and every value is where it says and what it says.
pub fn json(data: &[u8]) {
    within_bounds(data, |data| {
        for duplicates in [Duplicates::Refused, Duplicates::Kept] {
            let mut reader = Reader::new(duplicates);
            let Ok(document) = reader.read(data) else {
                continue;
            };
            let text = std::str::from_utf8(data).expect("JSON is UTF-8");
            let other: Result<serde::de::IgnoredAny, _> = serde_json::from_str(text);
            assert!(other.is_ok(), "another reader refuses it: {other:?}");
            assert_eq!(document.source(), text);
            assert!(
                text.trim() == document.root().raw(),
                "the root is all there is"
            );
            check(document.root());
        }
    });
}

fn check(value: Value<'_>) {
    let (raw, span) = (value.raw(), value.span());
    let inside = |inner: Value<'_>| {
        let inner = inner.span();
        assert!(span.start < inner.start && inner.end < span.end, "{raw}");
    };
    match value.kind() {
        Kind::Null => assert_eq!(raw, "null"),
        Kind::Bool => assert_eq!(
            Some(raw),
            value
                .as_bool()
                .map(|flag| if flag { "true" } else { "false" })
        ),
        Kind::Number => assert!(raw.starts_with(|sign: char| sign == '-' || sign.is_ascii_digit())),
        Kind::String => {
            let other: String = serde_json::from_str(raw).expect("a string is JSON by itself");
            assert_eq!(value.as_str(), Some(&*other));
        }
        Kind::Array => value.elements().for_each(|element| {
            inside(element);
            check(element);
        }),
        Kind::Object => value.members().for_each(|(key, member)| {
            assert!(key.span().end < member.span().start, "{raw}");
            [key, member].into_iter().for_each(inside);
            check(key);
            check(member);
        }),
    }
}

/// Runs it, and fails if it took more of the processor than the input is worth.
fn within_bounds(data: &[u8], run: impl FnOnce(&[u8])) {
    let before = processor_time();
    run(data);
    assert_worth(processor_time() - before, data);
}

/// Fails if an input is not worth so much work.
pub fn assert_worth(took: Duration, data: &[u8]) {
    let size = u32::try_from(data.len()).unwrap_or(u32::MAX);
    assert!(
        took < WORK + WORK_PER_BYTE * size,
        "{took:?} for {size} bytes"
    );
}

/// What this thread has used of the processor: other load on the machine does not count.
fn processor_time() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    let nanoseconds = u32::try_from(time.tv_nsec).expect("less than a second");
    Duration::new(
        u64::try_from(time.tv_sec).expect("not negative"),
        nanoseconds,
    )
}
