// HttpExchange: one connection's whole HTTP state: reads requests one after the other and holds
// what is left to send of the present answer. No I/O: bytes in with receive(), bytes out with
// to_send() and sent(). While an answer is being sent it takes nothing, so pipelined requests stay
// in the connection's receive queue.
//
//   GET /           the fixed page (also /index.html)
//   GET /bytes/N    N bytes, N up to 1 TiB: the byte at offset i is kAlphabet[i % 64]
//   PUT, POST       the body is hashed; the answer is "N bytes, sha256 HEX"
//   other paths     404; other methods 405; HEAD is GET without the body
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

#include "apps/serve/http_request.hpp"
#include "apps/stream/sha256.hpp"

namespace handfast::serve {

// Hashes for uploads, a bounded number at a time; lent to one exchange after the other.
class UploadHashes {
 public:
  static constexpr std::size_t kMax = 256;

  UploadHashes();
  // Empty of bytes; null when all are lent.
  apps::Sha256* lend();
  void give_back(apps::Sha256* hash) { free_.push_back(hash); }

 private:
  std::vector<apps::Sha256> all_;
  std::vector<apps::Sha256*> free_;
};

class HttpExchange {
 public:
  static constexpr std::string_view kAlphabet =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-\n";
  static_assert(kAlphabet.size() == 64);
  static constexpr std::string_view kPage =
      "<!DOCTYPE html>\n<html lang=\"en\">\n<head><title>Handfast</title></head>\n"
      "<body><h1>It works.</h1>\n<p>This page came over a TCP stack in user space.</p></body>\n"
      "</html>\n";
  static constexpr std::uint64_t kBytesMax = std::uint64_t{1} << 40;

  // `hashes` is borrowed for as long as this lives; call release() before it ends.
  explicit HttpExchange(UploadHashes& hashes) : hashes_(&hashes) {}
  void release();

  // Takes bytes up to the end of one request; returns how many. 0 while an answer is to be sent.
  // After finished() everything is taken and ignored.
  std::size_t receive(Bytes bytes);
  // The next piece of the answer; empty when there is none.
  Bytes to_send() const;
  // The first `count` bytes of to_send() have been sent.
  void sent(std::size_t count);
  // The peer will send nothing more: the present answer, if any, is the last. A body that is not
  // whole gets none.
  void peer_finished() {
    keep_alive_ = false;
    release();
  }
  // The peer has taken too long. False: over a body or an answer, and nothing can be said to it.
  // Else the exchange ends, with a 408 where a request has begun (RFC 9110 section 15.5.9).
  bool time_out();
  // Within the head of a request, of which some has come.
  bool is_in_head() const { return keep_alive_ && parser_.is_within(); }
  // Bytes of bodies that came in and of answers that went out: grows while the peer does its part.
  std::uint64_t moved() const { return moved_; }
  // The last answer is sent whole: the connection is to be closed.
  bool finished() const { return !keep_alive_ && upload_ == nullptr && to_send().empty(); }
  // Answers begun.
  std::uint64_t answers() const { return answers_; }

 private:
  struct Status;
  void answer(const HttpRequest& request);
  void begin(const Status& status, std::string_view type, std::uint64_t body_bytes, bool with_body);
  void refuse(const Status& status, std::string_view reason = "the request was not understood\n");
  std::size_t take_body(Bytes bytes);
  void begin_upload(const HttpRequest& request);
  void end_upload();

  HttpRequestParser parser_;
  std::array<char, 224> head_{};
  std::uint16_t head_bytes_ = 0;
  std::uint16_t head_sent_ = 0;
  bool keep_alive_ = true;
  bool generates_ = false;  // the body is kAlphabet over and over, else `body_`
  std::string_view body_;   // static text, or receipt_
  std::uint64_t body_bytes_ = 0;
  std::uint64_t body_sent_ = 0;
  std::uint64_t body_due_ = 0;  // of a request's body
  UploadHashes* hashes_;
  apps::Sha256* upload_ = nullptr;  // of the body that is coming in
  std::uint64_t upload_bytes_ = 0;
  std::array<char, 128> receipt_{};
  std::uint64_t answers_ = 0;
  std::uint64_t moved_ = 0;
};

}  // namespace handfast::serve
