//! The settings of the log.

use clap::Args;

use super::value::log_filter;

#[derive(Args, Debug)]
pub struct LogArgs {
    /// Log level: error, warn, info, debug, trace or off, or several like info,livesouk=debug
    #[arg(long = "log", env = "LIVESOUK_LOG", default_value = "info", value_name = "FILTER", value_parser = log_filter)]
    pub filter: String,
    /// Log format: text for people, or one JSON object per line
    #[arg(long = "log-format", env = "LIVESOUK_LOG_FORMAT", default_value = "text")]
    pub format: LogFormat,
    /// Address of an OpenTelemetry collector (OTLP over HTTP) that receives spans, like http://127.0.0.1:4318/v1/traces
    #[cfg(feature = "otel")]
    #[arg(long, env = "LIVESOUK_OTLP_ENDPOINT", value_name = "URL")]
    pub otlp_endpoint: Option<String>,
}

#[derive(clap::ValueEnum, Clone, Copy, PartialEq, Eq, Debug)]
pub enum LogFormat {
    Text,
    Json,
}
