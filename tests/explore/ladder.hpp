// A way through a world as a ladder diagram, in the manner of RFC 9293's figures: A on the left, B
// on the right, their states after each step, and each segment where it arrives, is lost or is held
// back. Numbers are the segments' own: A begins at 100, B at 300.
#pragma once

#include <string>

#include "tests/explore/search.hpp"

namespace handfast::explore {

// Ends with what is wrong there, if anything is.
std::string ladder(const Setting& setting, const Way& way);
// The way on which each segment arrives at once and the applications wait for quiet.
std::string straight_ladder(const Setting& setting);

}  // namespace handfast::explore
