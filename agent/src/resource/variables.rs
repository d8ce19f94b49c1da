//! What a process says about itself in `OTEL_RESOURCE_ATTRIBUTES` and `OTEL_SERVICE_NAME`.

use super::percent;

/// Most attributes taken from one process, and most bytes of a key or value: the text is foreign.
const MAX_ATTRIBUTES: usize = 128;
const MAX_KEY: usize = 256;
const MAX_VALUE: usize = 4096;

/// Whether a value is an unexpanded Kubernetes reference (`$(POD_NAME)`), which says nothing.
fn is_unexpanded(value: &str) -> bool {
    value.starts_with("$(")
}

/// A service name, unless it is empty or unexpanded.
pub(super) fn service_name(value: &str) -> Option<String> {
    let value = value.trim();
    (!value.is_empty() && !is_unexpanded(value) && value.len() <= MAX_VALUE).then(|| value.to_owned())
}

/// Reads `key=value,key2=value2`, values percent-encoded. Pairs that are malformed, empty or unexpanded are left out; the rest
/// still counts, since the process cannot be told about its mistake here.
pub(super) fn resource_attributes(text: &str) -> Vec<(String, String)> {
    text.split(',')
        .filter_map(|pair| {
            let (key, value) = pair.split_once('=')?;
            let key = percent::decode(key.trim())?;
            let value = percent::decode(value.trim())?;
            let usable = !key.is_empty()
                && key.len() <= MAX_KEY
                && !key.chars().any(char::is_control)
                && !value.is_empty()
                && value.len() <= MAX_VALUE
                && !is_unexpanded(&value);
            usable.then_some((key, value))
        })
        .take(MAX_ATTRIBUTES)
        .collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn pairs_are_decoded() {
        let pairs =
            resource_attributes("service.name=shop, deployment.environment.name = a%2Cb%3D%20c ,team=core");
        let expected =
            [("service.name", "shop"), ("deployment.environment.name", "a,b= c"), ("team", "core")];
        assert_eq!(pairs, expected.map(|(key, value)| (key.to_owned(), value.to_owned())));
    }

    #[test]
    fn what_says_nothing_is_left_out() {
        let pairs = resource_attributes("a=$(POD_NAME),b,=c,d=,e=%zz,f=1,,g=%24(X)");
        assert_eq!(pairs, [("f".to_owned(), "1".to_owned())]);
        assert_eq!(service_name("$(NAME)"), None);
        assert_eq!(service_name("  "), None);
        assert_eq!(service_name(" shop "), Some("shop".to_owned()));
    }

    proptest! {
        #[test]
        fn any_text_is_read_within_bounds(text in "(.*|[a-z=,%$(]{0,400})") {
            for (key, value) in resource_attributes(&text) {
                prop_assert!(!key.is_empty() && !value.is_empty() && !value.starts_with("$("));
            }
        }

        #[test]
        fn the_number_of_pairs_is_bounded(count in 0_usize..400) {
            let text = vec!["k=v"; count].join(",");
            prop_assert_eq!(resource_attributes(&text).len(), count.min(MAX_ATTRIBUTES));
        }
    }
}
