//! One series of one instrument: a sum or a histogram.

use agent_genai::call::ChunkGaps;

use super::instrument::Aggregation;

/// A measurement.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Measure<'a> {
    /// One value.
    Value(f64),
    /// Tokens, exact.
    Count(u64),
    /// Many values, bucketed already in the bounds of the instrument.
    Gaps(&'a ChunkGaps),
}

/// The value of a series.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Value {
    /// A monotonic sum.
    Sum(u64),
    /// A histogram.
    Histogram(Histogram),
}

/// A histogram with explicit bounds.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Histogram {
    pub(crate) bounds: &'static [f64],
    pub(crate) counts: Vec<u64>,
    pub(crate) count: u64,
    pub(crate) sum: f64,
    /// `None` once a measurement without a known minimum is in it.
    pub(crate) min: Option<f64>,
    pub(crate) max: f64,
}

impl Value {
    pub(crate) fn new(aggregation: Aggregation) -> Self {
        match aggregation {
            Aggregation::Sum => Self::Sum(0),
            Aggregation::Histogram(bounds) => Self::Histogram(Histogram {
                bounds,
                counts: vec![0; bounds.len() + 1],
                count: 0,
                sum: 0.0,
                min: Some(f64::INFINITY),
                max: f64::NEG_INFINITY,
            }),
        }
    }

    /// Adds a measurement. Values that are no number are left out: one of them would spoil the sum for ever.
    pub(crate) fn add(&mut self, measure: Measure<'_>) {
        match (self, measure) {
            (Self::Sum(sum), Measure::Count(count)) => *sum = sum.saturating_add(count),
            (Self::Histogram(histogram), Measure::Value(value)) => histogram.add(value),
            #[expect(clippy::cast_precision_loss, reason = "token counts are far below 2^53")]
            (Self::Histogram(histogram), Measure::Count(count)) => histogram.add(count as f64),
            (Self::Histogram(histogram), Measure::Gaps(gaps)) => histogram.merge(gaps),
            (Self::Sum(_), Measure::Value(_) | Measure::Gaps(_)) => {}
        }
    }
}

impl Histogram {
    fn add(&mut self, value: f64) {
        if !value.is_finite() {
            return;
        }
        // Upper bounds are inclusive.
        let bucket = self.bounds.partition_point(|bound| *bound < value);
        if let Some(count) = self.counts.get_mut(bucket) {
            *count += 1;
        }
        self.count += 1;
        self.sum += value;
        self.min = self.min.map(|min| min.min(value));
        self.max = self.max.max(value);
    }

    fn merge(&mut self, gaps: &ChunkGaps) {
        if gaps.count == 0 || !gaps.sum.is_finite() || !gaps.max.is_finite() {
            return;
        }
        for (count, more) in self.counts.iter_mut().zip(gaps.buckets) {
            *count += more;
        }
        self.count += gaps.count;
        self.sum += gaps.sum;
        self.min = None;
        self.max = self.max.max(gaps.max);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use agent_genai::semconv::DURATION_BOUNDS;

    fn histogram() -> Value {
        Value::new(Aggregation::Histogram(&DURATION_BOUNDS))
    }

    fn inner(value: &Value) -> &Histogram {
        match value {
            Value::Histogram(histogram) => histogram,
            Value::Sum(_) => panic!("a histogram"),
        }
    }

    #[test]
    fn upper_bounds_are_inclusive() {
        let mut value = histogram();
        for seconds in [0.0, 0.01, 0.010_001, 81.92, 100.0] {
            value.add(Measure::Value(seconds));
        }
        let histogram = inner(&value);
        assert_eq!(
            (histogram.counts[0], histogram.counts[1], histogram.counts[13], histogram.counts[14]),
            (2, 1, 1, 1)
        );
        assert_eq!((histogram.count, histogram.min, histogram.max), (5, Some(0.0), 100.0));
    }

    #[test]
    fn chunk_gaps_are_merged_bucket_by_bucket() {
        let mut value = histogram();
        let mut gaps = ChunkGaps { count: 3, sum: 0.05, max: 0.03, ..ChunkGaps::default() };
        gaps.buckets[0] = 2;
        gaps.buckets[2] = 1;
        value.add(Measure::Gaps(&gaps));
        value.add(Measure::Gaps(&ChunkGaps::default()));
        let histogram = inner(&value);
        assert_eq!((histogram.count, histogram.sum, histogram.min, histogram.max), (3, 0.05, None, 0.03));
        assert_eq!((histogram.counts[0], histogram.counts[2]), (2, 1));
    }

    #[test]
    fn what_is_no_number_is_left_out() {
        let mut value = histogram();
        value.add(Measure::Value(f64::NAN));
        value.add(Measure::Value(f64::INFINITY));
        assert_eq!(inner(&value).count, 0);
    }

    proptest! {
        #[test]
        fn every_value_is_in_one_bucket(values in prop::collection::vec(0.0_f64..1000.0, 0..50)) {
            let mut value = histogram();
            for seconds in &values {
                value.add(Measure::Value(*seconds));
            }
            let histogram = inner(&value);
            prop_assert_eq!(histogram.counts.iter().sum::<u64>(), values.len() as u64);
            prop_assert_eq!(histogram.count, values.len() as u64);
        }
    }
}
