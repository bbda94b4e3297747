// What start-up answers when the system refuses memory: it takes memory to say why it failed, and
// there may be none. Nothing is thrown out of lib/.
#pragma once

#include <new>
#include <string>
#include <string_view>

namespace handfast::base {

// `sentence`, or, where there is no room even for that, two words that lie in the string itself.
inline std::string memory_refused(std::string_view sentence) noexcept {
  try {
    return std::string(sentence);
  } catch (const std::bad_alloc&) {
    return "out of memory";
  }
}

}  // namespace handfast::base
