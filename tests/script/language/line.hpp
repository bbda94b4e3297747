// Line: the words of one statement on their way into values, and the first thing found wrong with
// them. After an error everything taken is a default, so that a parser reads on without asking at
// each step; whoever made the line looks at error() in the end.
#pragma once

#include <fmt/format.h>

#include <optional>
#include <string>
#include <utility>

#include "tests/script/language/lexer.hpp"

namespace handfast::script {

class Line {
 public:
  explicit Line(Words words) : words_(std::move(words)) {}

  Words& words() { return words_; }
  bool is_good() const { return !error_; }
  const std::optional<std::string>& error() const { return error_; }
  void fail(std::string what) {
    if (!error_) error_ = std::move(what);
  }
  // A word that nothing here begins with.
  void refuse(std::string_view word, std::string_view known) {
    fail(word.empty() ? fmt::format("the line ends too early: {} expected", known)
                      : fmt::format("'{}' is not understood here: {} expected", word, known));
  }
  bool more() const { return is_good() && !words_.at_end(); }

  template <class T>
  T get(Parsed<T> parsed) {
    if (parsed) return *std::move(parsed);
    fail(std::move(parsed.error()));
    return T{};
  }
  std::int64_t number() { return get(parse_number(words_.take())); }
  template <class T>
  T number_up_to(T max) {
    const std::string word = words_.take();
    const std::int64_t value = get(parse_number(word));
    if (value < 0 || value > static_cast<std::int64_t>(max)) {
      fail(fmt::format("'{}' is out of range: 0 to {} expected", word, max));
      return T{};
    }
    return static_cast<T>(value);
  }
  Duration duration() { return get(parse_duration(words_.take())); }
  Range range() { return get(parse_range(words_.take())); }
  Address address() { return get(Address::parse(words_.take())); }

 private:
  Words words_;
  std::optional<std::string> error_;
};

}  // namespace handfast::script
