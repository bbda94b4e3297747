// Frames of the peer's, made as a script says, sound or not.
#pragma once

#include "tests/script/runner/flow.hpp"

namespace handfast::script {

FrameBytes make_segment(const SegmentSpec& spec, const Flow& flow, bool is_v6);
FrameBytes make_icmp(const InjectIcmp& icmp, const Flow& flow, bool is_v6);

}  // namespace handfast::script
