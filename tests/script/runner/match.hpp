// Compares a segment that left with what a script expects.
#pragma once

#include "tests/script/runner/flow.hpp"

namespace handfast::script {

// Nothing when it is as expected, else which field is not. Text is always compared with what the
// application was made to send.
Complaint match(const SegmentSpec& wanted, const Seen& seen, const Flow& flow);

}  // namespace handfast::script
