//! Loss and delay go in, an estimate of how a listener would judge the call comes
//! out: ITU-T G.107 (narrowband), with the loss robustness of ITU-T G.113 appendix I.

/// What a listener had to put up with.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Conditions {
    /// Packets lost or too late to be played, in percent.
    pub loss_percent: f64,
    /// Mean length of a loss burst over that of random loss; 1 for random loss.
    pub burst_ratio: f64,
    /// One way, mouth to ear, in milliseconds; `None` where no round trip is known,
    /// which leaves delay out of the estimate.
    pub delay_ms: Option<f64>,
    /// Whether the receiver fills the gaps of lost packets.
    pub concealment: bool,
}

/// The rating of an undisturbed narrowband call with default values (G.107).
const UNDISTURBED: f64 = 93.2;

/// Robustness of G.711 against loss with concealment, and without (G.113 appendix I).
const CONCEALED: f64 = 25.1;
const BARE: f64 = 4.3;

/// Returns the mean opinion score, 1 to 4.5. An estimate.
pub fn mos(conditions: &Conditions) -> f64 {
    score(UNDISTURBED - delay(conditions) - loss(conditions))
}

/// The delay impairment Id, simplified: 177.3 ms is where talkers begin to collide.
fn delay(conditions: &Conditions) -> f64 {
    let ms = conditions.delay_ms.unwrap_or(0.0).max(0.0);
    0.024 * ms + 0.11 * (ms - 177.3).max(0.0)
}

/// The effective equipment impairment Ie,eff of G.711, whose Ie is 0.
fn loss(conditions: &Conditions) -> f64 {
    let percent = conditions.loss_percent.clamp(0.0, 100.0);
    let robustness = if conditions.concealment {
        CONCEALED
    } else {
        BARE
    };
    95.0 * percent / (percent / conditions.burst_ratio.max(1.0) + robustness)
}

/// From the rating R to the score (G.107 annex B).
fn score(rating: f64) -> f64 {
    if rating <= 0.0 {
        return 1.0;
    }
    let rating = rating.min(100.0);
    let score = 1.0 + 0.035 * rating + rating * (rating - 60.0) * (100.0 - rating) * 7e-6;
    // The cubic dips below 1 for ratings under 7.
    score.max(1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(loss_percent: f64, concealment: bool) -> f64 {
        mos(&Conditions {
            loss_percent,
            burst_ratio: 1.0,
            delay_ms: Some(50.0),
            concealment,
        })
    }

    fn assert_near(value: f64, wanted: f64) {
        assert!((value - wanted).abs() < 0.006, "{value} is not {wanted}");
    }

    #[test]
    fn the_check_values_at_50_ms_come_out() {
        for (loss, wanted) in [
            (0.0, 4.38),
            (1.0, 4.30),
            (2.0, 4.20),
            (5.0, 3.87),
            (10.0, 3.35),
        ] {
            assert_near(at(loss, true), wanted);
        }
        assert_near(at(2.0, false), 3.19);
    }

    #[test]
    fn the_score_falls_with_loss_and_delay_and_stays_in_its_range() {
        let mut before = 4.5;
        for percent in 0..=100_u32 {
            let score = at(percent.into(), true);
            assert!((1.0..before).contains(&score), "{percent} % gives {score}");
            before = score;
        }
        let late = |ms| {
            mos(&Conditions {
                loss_percent: 0.0,
                burst_ratio: 1.0,
                delay_ms: ms,
                concealment: true,
            })
        };
        assert!(late(None) > late(Some(100.0)));
        assert!(late(Some(177.0)) - late(Some(187.0)) < late(Some(187.0)) - late(Some(197.0)));
        assert_near(late(Some(1e9)), 1.0);
    }

    #[test]
    fn bursts_hurt_more_than_random_loss() {
        let burst = Conditions {
            loss_percent: 10.0,
            burst_ratio: 2.0,
            delay_ms: None,
            concealment: true,
        };
        assert!(
            mos(&burst)
                < mos(&Conditions {
                    burst_ratio: 1.0,
                    ..burst
                })
        );
    }
}
