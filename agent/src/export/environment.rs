//! The standard `OTEL_*` variables, by the OpenTelemetry environment and OTLP exporter specifications.

use std::{path::PathBuf, str::FromStr, time::Duration};

use http::HeaderMap;

use super::{
    BatchConfig, Compression, Destination, DestinationConfig, Endpoint, MetricsConfig, Protocol, RetryConfig,
    Signal, Temporality, TlsConfig,
    endpoint::Given,
    headers,
    settings::{BatchLimits, Environment, QueueLimits, RetryPolicy, Settings, SettingsError},
};
use crate::config::Span;

/// `OTEL_SDK_DISABLED`: only `true` (in any case) disables.
pub(crate) fn is_disabled(environment: Environment<'_>, warnings: &mut Vec<String>) -> bool {
    boolean(environment, "OTEL_SDK_DISABLED", warnings)
}

/// Adds the destinations that the environment asks for.
///
/// # Errors
/// When it asks for OTLP in a way that cannot be done: an endpoint that is no URL, `http/json`, half a client certificate.
pub(crate) fn destinations(
    environment: Environment<'_>,
    settings: &mut Settings,
) -> Result<(), SettingsError> {
    for signal in [Signal::Traces, Signal::Metrics] {
        let mut reader = Reader { environment, signal, warnings: &mut settings.warnings };
        if let Some(destination) = reader.destination()? {
            settings.destinations.push(destination);
        }
    }
    Ok(())
}

/// An empty variable is an unset one.
fn get(environment: Environment<'_>, name: &str) -> Option<String> {
    environment(name).map(|value| value.trim().to_owned()).filter(|value| !value.is_empty())
}

fn boolean(environment: Environment<'_>, name: &str, warnings: &mut Vec<String>) -> bool {
    match get(environment, name) {
        Some(value) if value.eq_ignore_ascii_case("true") => true,
        Some(value) if !value.eq_ignore_ascii_case("false") => {
            warnings.push(format!("{name}: neither true nor false; taken as false"));
            false
        }
        _ => false,
    }
}

struct Reader<'a> {
    environment: Environment<'a>,
    signal: Signal,
    warnings: &'a mut Vec<String>,
}

impl Reader<'_> {
    /// The variable of the signal, else the common one: its name and value.
    fn otlp(&self, suffix: &str) -> Option<(String, String)> {
        let own = format!("OTEL_EXPORTER_OTLP_{}_{suffix}", self.signal.name().to_ascii_uppercase());
        [own, format!("OTEL_EXPORTER_OTLP_{suffix}")]
            .into_iter()
            .find_map(|name| get(self.environment, &name).map(|value| (name, value)))
    }

    /// A number; one that cannot be read is ignored with a warning, as the specification says.
    fn number<T: FromStr>(&mut self, name: &str) -> Option<T> {
        let value = get(self.environment, name)?;
        let number = value.parse().ok();
        if number.is_none() {
            self.warnings.push(format!("{name}: {value:?} is not a whole number that fits; ignored"));
        }
        number
    }

    fn positive(&mut self, name: &str) -> Option<usize> {
        let number = self.number(name)?;
        if number == 0 {
            self.warnings.push(format!("{name}: must be more than 0; ignored"));
            return None;
        }
        Some(number)
    }

    /// `OTEL_TRACES_EXPORTER`, `OTEL_METRICS_EXPORTER`: `None` when unset; whether OTLP is among them.
    fn selected(&mut self) -> Option<bool> {
        let name = format!("OTEL_{}_EXPORTER", self.signal.name().to_ascii_uppercase());
        let value = get(self.environment, &name)?.to_ascii_lowercase();
        let list: Vec<&str> = value.split(',').map(str::trim).filter(|name| !name.is_empty()).collect();
        for other in list.iter().filter(|exporter| !matches!(**exporter, "otlp" | "none")) {
            self.warnings
                .push(format!("{name}: {other:?} is not supported, only otlp and none are; ignored"));
        }
        if list.contains(&"otlp") {
            return Some(true);
        }
        list.contains(&"none").then_some(false)
    }

    fn protocol(&mut self) -> Result<Protocol, SettingsError> {
        let Some((name, value)) = self.otlp("PROTOCOL") else { return Ok(Protocol::default()) };
        match value.to_ascii_lowercase().as_str() {
            "grpc" => Ok(Protocol::Grpc),
            "http/protobuf" => Ok(Protocol::HttpProtobuf),
            "http/json" => {
                Err(SettingsError::value(name, "http/json is not supported: use http/protobuf or grpc"))
            }
            _ => {
                self.warnings.push(format!(
                    "{name}: {value:?} is neither grpc nor http/protobuf; http/protobuf is used"
                ));
                Ok(Protocol::default())
            }
        }
    }

    fn endpoint(&mut self, protocol: Protocol) -> Result<Endpoint, SettingsError> {
        let insecure =
            self.otlp("INSECURE").is_some_and(|(name, _)| boolean(self.environment, &name, self.warnings));
        let own = format!("OTEL_EXPORTER_OTLP_{}_ENDPOINT", self.signal.name().to_ascii_uppercase());
        let (variable, text) = self.otlp("ENDPOINT").unwrap_or_else(|| {
            let text = match protocol {
                Protocol::Grpc => "http://localhost:4317",
                Protocol::HttpProtobuf => "http://localhost:4318",
            };
            ("OTEL_EXPORTER_OTLP_ENDPOINT".to_owned(), text.to_owned())
        });
        let given = Given { text: &text, variable: &variable, for_signal: variable == own, insecure };
        Ok(Endpoint::resolve(given, protocol, self.signal)?)
    }

    fn headers(&mut self) -> HeaderMap {
        let Some((name, value)) = self.otlp("HEADERS") else { return HeaderMap::new() };
        let (headers, problems) = headers::parse_list(&value);
        self.warnings.extend(problems.into_iter().map(|problem| format!("{name}: {problem}; left out")));
        headers
    }

    fn compression(&mut self) -> Compression {
        // The specification's default is none; unlike a configured destination, the environment says all there is to say.
        match self.otlp("COMPRESSION") {
            None => Compression::None,
            Some((_, value)) if value.eq_ignore_ascii_case("gzip") => Compression::Gzip,
            Some((_, value)) if value.eq_ignore_ascii_case("none") => Compression::None,
            Some((name, value)) => {
                self.warnings.push(format!("{name}: {value:?} is neither gzip nor none; none is used"));
                Compression::None
            }
        }
    }

    fn timeout(&mut self) -> Option<Duration> {
        let millis = self.otlp("TIMEOUT").and_then(|(name, _)| self.number::<u64>(&name)).unwrap_or(10_000);
        (millis != 0).then(|| Duration::from_millis(millis))
    }

    fn tls(&mut self) -> Result<TlsConfig, SettingsError> {
        let file = |suffix| self.otlp(suffix).map(|(_, path)| PathBuf::from(path));
        let tls = TlsConfig {
            ca_file: file("CERTIFICATE"),
            certificate_file: file("CLIENT_CERTIFICATE"),
            key_file: file("CLIENT_KEY"),
        };
        if tls.certificate_file.is_some() != tls.key_file.is_some() {
            return Err(SettingsError::value(
                "OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE and OTEL_EXPORTER_OTLP_CLIENT_KEY",
                "they belong together: set both or none",
            ));
        }
        Ok(tls)
    }

    fn metrics(&mut self) -> MetricsConfig {
        let mut metrics = MetricsConfig::default();
        if let Some(millis) = self.positive("OTEL_METRIC_EXPORT_INTERVAL") {
            metrics.interval = Span::millis(millis as u64);
        }
        const PREFERENCE: &str = "OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE";
        match get(self.environment, PREFERENCE).map(|value| value.to_ascii_lowercase()).as_deref() {
            None | Some("cumulative") => {}
            // `lowmemory` differs from `delta` in asynchronous counters only, whose last values are kept in any case.
            Some("delta" | "lowmemory") => metrics.temporality = Temporality::Delta,
            Some(other) => {
                self.warnings.push(format!(
                    "{PREFERENCE}: {other:?} is none of cumulative, delta and lowmemory; ignored"
                ));
            }
        }
        metrics
    }

    fn destination(&mut self) -> Result<Option<Destination>, SettingsError> {
        let wanted = self.selected().unwrap_or_else(|| self.otlp("ENDPOINT").is_some());
        if !wanted {
            return Ok(None);
        }
        let protocol = self.protocol()?;
        let endpoint = self.endpoint(protocol)?;
        let defaults = DestinationConfig::default();
        let (batch, retry) = (BatchConfig::default(), RetryConfig::default());
        let (mut max_items, mut queue_items, mut delay) = (batch.max_spans, None, batch.delay.0);
        let mut give_up_after = retry.give_up_after.0;
        let export_timeout = match self.signal {
            Signal::Traces => {
                max_items = self.positive("OTEL_BSP_MAX_EXPORT_BATCH_SIZE").unwrap_or(max_items);
                queue_items = self.positive("OTEL_BSP_MAX_QUEUE_SIZE");
                delay = self.number("OTEL_BSP_SCHEDULE_DELAY").map_or(delay, Duration::from_millis);
                "OTEL_BSP_EXPORT_TIMEOUT"
            }
            Signal::Metrics => "OTEL_METRIC_EXPORT_TIMEOUT",
        };
        if let Some(millis) = self.positive(export_timeout) {
            give_up_after = Duration::from_millis(millis as u64);
        }
        if let Some(queue) = queue_items.filter(|queue| max_items > *queue) {
            self.warnings.push(format!(
                "OTEL_BSP_MAX_EXPORT_BATCH_SIZE: {max_items} is more than OTEL_BSP_MAX_QUEUE_SIZE; {queue} is used"
            ));
            max_items = queue;
        }
        Ok(Some(Destination {
            name: endpoint.authority(),
            signal: self.signal,
            endpoint,
            protocol,
            headers: self.headers(),
            compression: self.compression(),
            timeout: self.timeout(),
            tls: self.tls()?,
            queue: QueueLimits { max_bytes: defaults.queue_size.as_usize(), max_items: queue_items },
            batch: BatchLimits { max_bytes: batch.max_size.as_usize(), max_items, delay },
            retry: RetryPolicy {
                initial_delay: retry.initial_delay.0,
                max_delay: retry.max_delay.0,
                give_up_after,
            },
            metrics: self.metrics(),
        }))
    }
}

#[cfg(test)]
mod tests;
