// HttpRequestParser: reads the head of one HTTP/1.x request (RFC 9112), a byte at a time, however
// it is cut into segments. Keeps no copy of the head: only what the server acts on. No I/O.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "handfast/handler.hpp"

namespace handfast::serve {

struct HttpRequest {
  enum class Method : std::uint8_t { get, head, put, post, other };
  Method method = Method::other;
  bool keep_alive = false;
  bool expects_continue = false;  // the client waits for a 100 before it sends the body
  std::uint64_t body_bytes = 0;   // that follow the head
  std::string_view target;        // lives in the parser until its next reset()
};

class HttpRequestParser {
 public:
  enum class Status : std::uint8_t {
    more,       // the head is not complete yet
    complete,   // request() can be read
    bad,        // 400: not HTTP/1.0 or HTTP/1.1 as RFC 9112 has it
    too_large,  // 431: the head exceeds kHeadBytesMax
    too_long,   // 414: the target exceeds kTargetBytesMax
  };
  static constexpr std::size_t kHeadBytesMax = 8 * 1024;
  static constexpr std::size_t kTargetBytesMax = 255;

  // Reads to the end of the head at most; `used` says how many bytes that were. Not to be called
  // again after any other status than `more`.
  Status feed(Bytes bytes, std::size_t& used);
  // Valid after `complete`.
  HttpRequest request() const;
  // For the next request.
  void reset() { *this = {}; }
  // Whether a request has begun and not ended.
  bool is_within() const { return head_bytes_ != 0; }

 private:
  enum class Part : std::uint8_t { method, target, version, line_end, name, value, value_end, end };

  Status step(char c);
  Status step_request_line(char c);
  Status step_field(char c);
  bool end_of_method();
  bool end_of_version();
  Status end_of_head();
  bool end_of_field();
  void add_to_value(char c);

  std::string_view word() const { return {word_.data(), word_bytes_}; }
  std::string_view value() const { return {value_.data(), value_bytes_}; }

  Part part_ = Part::method;
  HttpRequest::Method method_ = HttpRequest::Method::other;
  bool http_1_1_ = false;
  bool has_host_ = false;
  bool says_close_ = false;
  bool says_keep_alive_ = false;
  bool says_expect_ = false;
  bool has_length_ = false;
  std::uint64_t body_bytes_ = 0;
  std::size_t head_bytes_ = 0;
  // The method, the version or a field's name; longer ones than fit are none that matter here.
  std::array<char, 24> word_{};
  std::uint8_t word_bytes_ = 0;
  bool word_overflows_ = false;
  std::array<char, 48> value_{};
  std::uint8_t value_bytes_ = 0;
  bool value_overflows_ = false;
  std::uint8_t target_bytes_ = 0;
  std::array<char, kTargetBytesMax> target_{};
};

}  // namespace handfast::serve
