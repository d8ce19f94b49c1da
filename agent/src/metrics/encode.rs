//! Series as OTLP metrics, in requests of bounded size.

use std::sync::Arc;

use agent_genai::record::Attributes;
use opentelemetry_proto::tonic::{
    collector::metrics::v1::ExportMetricsServiceRequest,
    metrics::v1::{
        AggregationTemporality, Histogram, HistogramDataPoint, Metric, NumberDataPoint, ResourceMetrics,
        ScopeMetrics, Sum, metric::Data, number_data_point,
    },
};

use super::{
    aggregator::AttributeSet,
    instrument::{Aggregation, Instrument},
    point::Value,
};
use crate::export::{
    Temporality,
    otlp::{any_value, key_value, resource, scope},
};

/// Most data points of one request: well below the 4 MiB that gRPC collectors take.
const MAX_POINTS: usize = 2000;

/// A series at the time of a report.
#[derive(Debug, Clone)]
pub(super) struct Point {
    pub(super) resource_key: Arc<str>,
    pub(super) resource: Arc<Attributes>,
    pub(super) instrument: Instrument,
    pub(super) attributes: Arc<AttributeSet>,
    pub(super) value: Value,
    pub(super) start: u64,
}

/// The OTLP name of a temporality.
pub(super) fn otlp_temporality(temporality: Temporality) -> i32 {
    match temporality {
        Temporality::Cumulative => AggregationTemporality::Cumulative.into(),
        Temporality::Delta => AggregationTemporality::Delta.into(),
    }
}

/// Requests with all the points: one `ResourceMetrics` for each resource, one `Metric` for each instrument in it.
pub(super) fn requests(
    mut points: Vec<Point>,
    temporality: Temporality,
    now: u64,
) -> Vec<ExportMetricsServiceRequest> {
    points.sort_by(|a, b| (&a.resource_key, a.instrument).cmp(&(&b.resource_key, b.instrument)));
    points
        .chunks(MAX_POINTS)
        .map(|points| ExportMetricsServiceRequest {
            resource_metrics: points
                .chunk_by(|a, b| a.resource_key == b.resource_key)
                .map(|points| ResourceMetrics {
                    resource: points.first().map(|point| resource(&point.resource)),
                    scope_metrics: vec![ScopeMetrics {
                        scope: Some(scope()),
                        metrics: points
                            .chunk_by(|a, b| a.instrument == b.instrument)
                            .filter_map(|points| metric(points, temporality, now))
                            .collect(),
                        schema_url: String::new(),
                    }],
                    schema_url: String::new(),
                })
                .collect(),
        })
        .collect()
}

fn metric(points: &[Point], temporality: Temporality, now: u64) -> Option<Metric> {
    let instrument = points.first()?.instrument;
    let aggregation_temporality = otlp_temporality(temporality);
    let data = match instrument.aggregation() {
        Aggregation::Sum => Data::Sum(Sum {
            data_points: points.iter().filter_map(|point| number(point, now)).collect(),
            aggregation_temporality,
            is_monotonic: true,
        }),
        Aggregation::Histogram(_) => Data::Histogram(Histogram {
            data_points: points.iter().filter_map(|point| histogram(point, now)).collect(),
            aggregation_temporality,
        }),
    };
    Some(Metric {
        name: instrument.name().to_owned(),
        description: instrument.description().to_owned(),
        unit: instrument.unit().to_owned(),
        data: Some(data),
        ..Metric::default()
    })
}

fn attributes(point: &Point) -> Vec<opentelemetry_proto::tonic::common::v1::KeyValue> {
    point.attributes.iter().filter_map(|(key, value)| Some(key_value(*key, any_value(value)?))).collect()
}

fn number(point: &Point, now: u64) -> Option<NumberDataPoint> {
    let Value::Sum(sum) = &point.value else { return None };
    Some(NumberDataPoint {
        attributes: attributes(point),
        start_time_unix_nano: point.start,
        time_unix_nano: now,
        value: Some(number_data_point::Value::AsInt(i64::try_from(*sum).unwrap_or(i64::MAX))),
        ..NumberDataPoint::default()
    })
}

fn histogram(point: &Point, now: u64) -> Option<HistogramDataPoint> {
    let Value::Histogram(histogram) = &point.value else { return None };
    Some(HistogramDataPoint {
        attributes: attributes(point),
        start_time_unix_nano: point.start,
        time_unix_nano: now,
        count: histogram.count,
        sum: Some(histogram.sum),
        bucket_counts: histogram.counts.clone(),
        explicit_bounds: histogram.bounds.to_vec(),
        min: histogram.min.filter(|min| min.is_finite()),
        max: Some(histogram.max).filter(|max| max.is_finite()),
        ..HistogramDataPoint::default()
    })
}

/// Number of data points in a request.
pub(crate) fn data_points(request: &ExportMetricsServiceRequest) -> u64 {
    let metrics = request
        .resource_metrics
        .iter()
        .flat_map(|resource| &resource.scope_metrics)
        .flat_map(|scope| &scope.metrics);
    let count: usize = metrics
        .map(|metric| match &metric.data {
            Some(Data::Sum(sum)) => sum.data_points.len(),
            Some(Data::Gauge(gauge)) => gauge.data_points.len(),
            Some(Data::Histogram(histogram)) => histogram.data_points.len(),
            Some(Data::ExponentialHistogram(_) | Data::Summary(_)) | None => 0,
        })
        .sum();
    count as u64
}
