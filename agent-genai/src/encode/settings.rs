//! Settings of a request that several forms leave out.

use super::loss::{Losses, NO_SUCH};
use crate::call::Request;

/// Settings that no form but Responses knows.
pub(super) fn stateful(request: &Request, losses: &mut Losses) {
    losses.unless_absent(
        &[
            ("previous_response_id", request.previous_response_id.is_some()),
            ("conversation", request.conversation_id.is_some()),
            ("agent", request.agent.is_some()),
        ],
        NO_SUCH,
    );
}

/// Sampling that only chat completions and Gemini know.
pub(super) fn sampling(request: &Request, losses: &mut Losses) {
    losses.unless_absent(
        &[
            ("seed", request.seed.is_some()),
            ("n", request.choice_count.is_some()),
            ("frequency_penalty", request.frequency_penalty.is_some()),
            ("presence_penalty", request.presence_penalty.is_some()),
        ],
        NO_SUCH,
    );
}

/// Kinds of output other than text.
pub(super) fn output_type(request: &Request, losses: &mut Losses) {
    if let Some(kind) = &request.output_type {
        losses.add(format!("output as {kind}"), NO_SUCH);
    }
}

/// Settings of single providers.
pub(super) fn of_one_provider(request: &Request, guardrail: bool, speed: bool, losses: &mut Losses) {
    losses.unless_absent(
        &[
            ("guardrail", request.guardrail.is_some() && !guardrail),
            ("speed", request.speed.is_some() && !speed),
        ],
        NO_SUCH,
    );
}
