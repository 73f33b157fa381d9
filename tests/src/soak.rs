//! What a long run is measured by: memory and open descriptors of this process.

use std::{fs, time::Duration};

/// The beginning of a run is left out: caches fill.
const WARM_UP_MAX: Duration = Duration::from_mins(10);
/// Descriptors that may be open now and then, for a connection that is made again.
const DESCRIPTORS_SPARE: u64 = 4;

/// Memory and descriptors at one time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sample {
    /// Since the run began.
    pub at: Duration,
    /// Memory that is this process's own: without the pages of files that are mapped, which the kernel keeps or drops as it
    /// likes.
    pub own_kib: u64,
    /// The same with them.
    pub rss_kib: u64,
    /// Open descriptors.
    pub descriptors: u64,
}

/// All of a run.
#[derive(Clone, Debug, Default)]
pub struct Samples(Vec<Sample>);

impl Samples {
    /// Takes one.
    pub fn take(&mut self, at: Duration) -> Sample {
        let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
        let kib = |name: &str| -> u64 {
            let line = status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
            line.and_then(|line| line.trim().trim_end_matches(" kB").parse().ok()).unwrap_or_default()
        };
        let (own_kib, rss_kib) = (kib("RssAnon") + kib("RssShmem"), kib("VmRSS"));
        let descriptors = fs::read_dir("/proc/self/fd").map_or(0, Iterator::count) as u64;
        let sample = Sample { at, own_kib, rss_kib, descriptors };
        self.0.push(sample);
        sample
    }

    /// The last one.
    pub fn last(&self) -> Option<&Sample> {
        self.0.last()
    }

    /// Those after ten minutes, or after a sixth of a shorter run.
    fn warm(&self) -> &[Sample] {
        let end = self.last().map_or(Duration::ZERO, |last| last.at);
        let begin = WARM_UP_MAX.min(end / 6);
        &self.0[self.0.partition_point(|sample| sample.at < begin)..]
    }

    /// By how much the process's own memory grows: least squares.
    pub fn slope_mib_an_hour(&self) -> f64 {
        self.slope(|sample| sample.own_kib)
    }

    /// By how much all its memory grows, the mapped pages of files with it.
    pub fn rss_slope_mib_an_hour(&self) -> f64 {
        self.slope(|sample| sample.rss_kib)
    }

    fn slope(&self, kib: fn(&Sample) -> u64) -> f64 {
        let points: Vec<(f64, f64)> =
            self.warm().iter().map(|sample| (sample.at.as_secs_f64() / 3600.0, kib(sample) as f64 / 1024.0)).collect();
        let count = points.len() as f64;
        let mean = |of: fn(&(f64, f64)) -> f64| points.iter().map(of).sum::<f64>() / count;
        let (hour, mib) = (mean(|point| point.0), mean(|point| point.1));
        let above: f64 = points.iter().map(|point| (point.0 - hour) * (point.1 - mib)).sum();
        let below: f64 = points.iter().map(|point| (point.0 - hour).powi(2)).sum();
        if below > 0.0 { above / below } else { 0.0 }
    }

    /// The fewest and the most descriptors.
    pub fn descriptors(&self) -> (u64, u64) {
        let all = || self.warm().iter().map(|sample| sample.descriptors);
        (all().min().unwrap_or_default(), all().max().unwrap_or_default())
    }

    /// Are there more descriptors towards the end than at the beginning?
    pub fn descriptors_grow(&self) -> bool {
        let warm = self.warm();
        let third = warm.len() / 3;
        let most = |part: &[Sample]| part.iter().map(|sample| sample.descriptors).max().unwrap_or_default();
        most(&warm[warm.len() - third..]) > most(&warm[..third]) + DESCRIPTORS_SPARE
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn samples(of: impl Fn(u64) -> (u64, u64)) -> Samples {
        let sample = |minute: u64| {
            let (own_kib, descriptors) = of(minute);
            Sample { at: Duration::from_secs(minute * 60), own_kib, rss_kib: own_kib + 100 * minute, descriptors }
        };
        Samples((0..=60).map(sample).collect())
    }

    #[test]
    fn what_grows_is_seen_and_the_beginning_is_left_out() {
        let flat = samples(|minute| (if minute < 10 { 1000 * minute } else { 9000 + minute % 2 }, 20 + minute % 3));
        assert!(flat.slope_mib_an_hour().abs() < 0.01);
        assert_eq!(flat.descriptors(), (20, 22));
        assert!(!flat.descriptors_grow());
        let grows = samples(|minute| (9000 + minute * 1024 / 30, 20 + minute / 5));
        assert!((grows.slope_mib_an_hour() - 2.0).abs() < 0.01);
        assert!(grows.rss_slope_mib_an_hour() > 7.0);
        assert!(grows.descriptors_grow());
    }

    #[test]
    fn this_process_has_memory_and_descriptors() {
        let sample = Samples::default().take(Duration::ZERO);
        assert!(sample.own_kib > 100 && sample.rss_kib >= sample.own_kib && sample.descriptors > 2, "{sample:?}");
        assert!(Samples::default().slope_mib_an_hour().abs() < f64::EPSILON);
    }
}
