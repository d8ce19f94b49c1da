//! The agent's own counters as reports.

use super::*;
use crate::metrics::data_points;

fn value(request: &ExportMetricsServiceRequest, name: &str) -> Option<Value> {
    let metrics = &request.resource_metrics[0].scope_metrics[0].metrics;
    match metrics.iter().find(|metric| metric.name == name)?.data.as_ref()? {
        Data::Sum(sum) => sum.data_points[0].value,
        Data::Gauge(gauge) => gauge.data_points[0].value,
        other => panic!("{other:?}"),
    }
}

#[test]
fn totals_stay_and_changes_restart() {
    let stats =
        |bytes, processes| capture_metrics(&CaptureStats { bytes, processes, ..CaptureStats::default() });
    let mut totals = PipelineReport::new(Attributes::new(), Temporality::Cumulative, 1);
    totals.collect(&stats(10, 3), 2);
    let second = totals.collect(&stats(15, 2), 3).unwrap();
    assert_eq!(value(&second, "wirespan.capture.bytes"), Some(Value::AsInt(15)));
    let mut changes = PipelineReport::new(Attributes::new(), Temporality::Delta, 1);
    changes.collect(&stats(10, 3), 2);
    let second = changes.collect(&stats(15, 2), 3).unwrap();
    assert_eq!(value(&second, "wirespan.capture.bytes"), Some(Value::AsInt(5)));
    assert_eq!(value(&second, "wirespan.capture.processes"), Some(Value::AsInt(2)));
}

#[test]
fn every_loss_has_a_point_for_its_cause() {
    let request = PipelineReport::new(Attributes::new(), Temporality::Cumulative, 1)
        .collect(&capture_metrics(&CaptureStats::default()), 2)
        .unwrap();
    let metrics = &request.resource_metrics[0].scope_metrics[0].metrics;
    let lost = metrics.iter().find(|metric| metric.name == "wirespan.capture.lost").unwrap();
    let Some(Data::Sum(sum)) = &lost.data else { panic!("a sum") };
    assert_eq!(sum.data_points.len(), 6);
    assert!(data_points(&request) > 10);
    assert!(PipelineReport::new(Attributes::new(), Temporality::Delta, 1).collect(&[], 2).is_none());
}
