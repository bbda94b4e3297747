// Lexer: one line of a segment script into words. A word ends at white space; "#" begins a comment,
// a quoted text is one word, and "<", ">" and "," around options stand alone. Called by the parser.
#pragma once

#include <cstdint>
#include <expected>
#include <string>
#include <string_view>
#include <vector>

#include "handfast/time.hpp"
#include "tests/script/language/script.hpp"

namespace handfast::script {

// The error is one sentence without the place, which the parser adds.
template <class T>
using Parsed = std::expected<T, std::string>;

Parsed<std::vector<std::string>> split_words(std::string_view line);

// What a word may say. Each error quotes the word and says what would be right.
Parsed<std::int64_t> parse_number(std::string_view word);
Parsed<Duration> parse_duration(std::string_view word);  // 5us, 10ms, 3s, 2min, 2h
Parsed<Within> parse_within(std::string_view word);      // 10ms..20ms
Parsed<Range> parse_range(std::string_view word);
Parsed<std::vector<std::uint8_t>> parse_hex(std::string_view word);
Parsed<bool> parse_switch(std::string_view word);  // on, off

// Goes through the words of one line.
class Words {
 public:
  explicit Words(std::vector<std::string> words) : words_(std::move(words)) {}

  bool at_end() const { return next_ == words_.size(); }
  const std::string& peek() const { return at_end() ? kNothing : words_[next_]; }
  std::string take() { return at_end() ? std::string{} : words_[next_++]; }
  // Takes the word if it is this one.
  bool accept(std::string_view word) {
    if (peek() != word) return false;
    ++next_;
    return true;
  }
  // Takes a word of the form that `parse` knows.
  template <class Parse>
  auto take_as(Parse&& parse) {
    return parse(take());
  }

 private:
  static inline const std::string kNothing;
  std::vector<std::string> words_;
  std::size_t next_ = 0;
};

}  // namespace handfast::script
