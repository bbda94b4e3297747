// What follows "inject" and "expect": flags, sequence numbers, fields and options of a segment, or
// an ICMP error. Called by the statement parser.
#pragma once

#include "tests/script/language/line.hpp"
#include "tests/script/language/script.hpp"

namespace handfast::script {

// What happens at once happens within so long.
inline constexpr Duration kAtOnce = std::chrono::milliseconds(1);

// A segment that is sent to the tested stack: every number in it is exact.
SegmentSpec parse_injected(Line& line);
// One that is awaited, and when.
Expect parse_expected(Line& line);
InjectIcmp parse_icmp(Line& line);

}  // namespace handfast::script
