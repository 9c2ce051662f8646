//! `toolgate_limit_used_ratio{server, rule}`: how full the fullest counter of each rule is.
//!
//! Both labels are names of the configuration's. It never lives in the recorder: what an edit takes out of a policy is gone
//! from the next scrape, where a gauge of the recorder would stay for ever.

use std::fmt::Write;

/// So many series at the most. At about 100 bytes each a scrape stays within 100 KB more; of more limits than this the
/// fullest are told.
pub const LIMIT_SERIES_MAX: usize = 1_000;

/// One series.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LimitUse<'a> {
    /// The server's name in the settings.
    pub server: &'a str,
    /// The limit's rule id.
    pub rule: &'a str,
    /// 0 is empty, 1 is full.
    pub used: f64,
}

/// The series as Prometheus reads them (exposition format 0.0.4); nothing if there are none.
pub fn limit_gauges<'a>(uses: impl IntoIterator<Item = LimitUse<'a>>) -> String {
    let mut text = String::new();
    for LimitUse { server, rule, used } in uses {
        if text.is_empty() {
            text.push_str(
                "# HELP toolgate_limit_used_ratio How full a limit is for the grant that used it most, by server and rule; 1 is full.\n\
                 # TYPE toolgate_limit_used_ratio gauge\n",
            );
        }
        let (server, rule) = (escaped(server), escaped(rule));
        writeln!(
            text,
            "toolgate_limit_used_ratio{{server=\"{server}\",rule=\"{rule}\"}} {used}"
        )
        .expect("memory takes all text");
    }
    text
}

fn escaped(label: &str) -> String {
    let escaped = label.replace('\\', "\\\\").replace('"', "\\\"");
    escaped.replace('\n', "\\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_label_cannot_end_its_line_or_its_quotes() {
        let text = limit_gauges([LimitUse {
            server: "s",
            rule: "/tools/a\"b\\c\nd/limits/é",
            used: 0.25,
        }]);
        let series =
            r#"toolgate_limit_used_ratio{server="s",rule="/tools/a\"b\\c\nd/limits/é"} 0.25"#;
        assert_eq!(text.lines().last(), Some(series));
        assert_eq!(text.lines().count(), 3, "{text}");
        assert_eq!(limit_gauges([]), "");
    }
}
