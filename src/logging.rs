//! The log of a command, and the spans of a node for an OpenTelemetry collector.

use std::io::IsTerminal;

use tracing_subscriber::Layer;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

use crate::config::{LogArgs, LogFormat};
#[cfg(feature = "otel")]
use crate::metrics::SPAN_TARGET;
use crate::node::StartError;

/// Logs go to stderr; stdout is for the output of the command.
pub fn init_logging(log: &LogArgs) -> Result<(), StartError> {
    // `Targets` reads levels by module, which is all we offer; `EnvFilter` would add a regular expression engine.
    let filter: Targets =
        log.filter.parse().map_err(|error| StartError::Config(format!("--log {}: {error}", log.filter)))?;
    // Otherwise a log file on a full disk would let every request that logs panic: the library reports the failure with `eprintln`.
    let lines = tracing_subscriber::fmt::layer().log_internal_errors(false);
    let lines = lines.with_writer(std::io::stderr).with_ansi(std::io::stderr().is_terminal());
    let lines = match log.format {
        LogFormat::Json => lines.json().flatten_event(true).boxed(),
        LogFormat::Text => lines.compact().boxed(),
    };
    let lines = tracing_subscriber::registry().with(lines.with_filter(filter));
    #[cfg(feature = "otel")]
    let lines = lines.with(log.otlp_endpoint.as_deref().map(otlp_layer).transpose()?);
    lines.init();
    Ok(())
}

/// Sends spans to an OpenTelemetry collector, in batches, from a separate thread. Spans that the collector does not accept are
/// dropped.
#[cfg(feature = "otel")]
fn otlp_layer<S>(endpoint: &str) -> Result<impl tracing_subscriber::Layer<S> + use<S>, StartError>
where
    S: tracing::Subscriber + for<'a> tracing_subscriber::registry::LookupSpan<'a>,
{
    use opentelemetry::trace::TracerProvider;
    use opentelemetry_otlp::WithExportConfig;
    use opentelemetry_sdk::{Resource, trace::SdkTracerProvider};

    let exporter = opentelemetry_otlp::SpanExporter::builder().with_http().with_endpoint(endpoint).build();
    let exporter = exporter.map_err(|error| StartError::Config(format!("--otlp-endpoint {endpoint}: {error}")))?;
    let resource = Resource::builder().with_service_name("livesouk").build();
    let provider = SdkTracerProvider::builder().with_batch_exporter(exporter).with_resource(resource).build();
    let ours = Targets::new().with_target(SPAN_TARGET, tracing::Level::TRACE);
    Ok(tracing_opentelemetry::layer().with_tracer(provider.tracer("livesouk")).with_filter(ours))
}
