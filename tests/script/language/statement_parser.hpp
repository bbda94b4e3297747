// One statement that is played, of a line's words. Settings and what concerns the whole script are
// the script parser's.
#pragma once

#include "tests/script/language/line.hpp"
#include "tests/script/language/script.hpp"

namespace handfast::script {

Action parse_action(Line& line);

}  // namespace handfast::script
