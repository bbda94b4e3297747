// The HTTP state machine without a network: every way a request can be cut, broken or too large.
#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <string_view>

#include "apps/serve/http_exchange.hpp"
#include "apps/serve/http_request.hpp"

namespace handfast::serve {
namespace {

using Status = HttpRequestParser::Status;

Bytes bytes(std::string_view text) {
  return std::as_bytes(std::span(text.data(), text.size()));
}

Status parse(std::string_view text) {
  HttpRequestParser parser;
  std::size_t used = 0;
  return parser.feed(bytes(text), used);
}

UploadHashes& hashes() {
  static UploadHashes all;
  return all;
}

// Gives `input` in pieces of `step` bytes, as a connection does: what is not taken is offered
// again.
std::string talk(HttpExchange& exchange, std::string_view input, std::size_t step = ~0U) {
  std::string output;
  std::size_t offered = 0;
  std::size_t taken = 0;
  while (taken < input.size()) {
    offered = std::max(offered, std::min(input.size(), taken + step));
    taken += exchange.receive(bytes(input.substr(taken, offered - taken)));
    for (Bytes piece = exchange.to_send(); !piece.empty(); piece = exchange.to_send()) {
      const std::size_t some = std::min<std::size_t>(piece.size(), 1000);
      output.append(reinterpret_cast<const char*>(piece.data()), some);
      exchange.sent(some);
    }
  }
  return output;
}

std::string body_of(std::string_view response) {
  return std::string(response.substr(response.find("\r\n\r\n") + 4));
}

std::size_t count(std::string_view text, std::string_view part) {
  std::size_t found = 0;
  for (std::size_t at = text.find(part); at != std::string_view::npos;
       at = text.find(part, at + 1)) {
    ++found;
  }
  return found;
}

constexpr std::string_view kGet = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";

TEST(HttpRequest, ReadsTheRequestLineAndTheFieldsThatMatter) {
  HttpRequestParser parser;
  std::size_t used = 0;
  const std::string text =
      "GET /x?y HTTP/1.1\r\nHost: a\r\nX-Other-Field-With-A-Very-Long-Name: 1\r\n"
      "Content-Length: 5\r\nConnection: Upgrade, Close\r\n\r\nhello";
  ASSERT_EQ(parser.feed(bytes(text), used), Status::complete);
  EXPECT_EQ(used, text.size() - 5);
  const HttpRequest request = parser.request();
  EXPECT_EQ(request.method, HttpRequest::Method::get);
  EXPECT_EQ(request.target, "/x?y");
  EXPECT_EQ(request.body_bytes, 5U);
  EXPECT_FALSE(request.keep_alive);
}

TEST(HttpRequest, PersistenceFollowsVersionAndConnectionField) {
  const auto keeps = [](std::string_view text) {
    HttpRequestParser parser;
    std::size_t used = 0;
    EXPECT_EQ(parser.feed(bytes(text), used), Status::complete);
    return parser.request().keep_alive;
  };
  EXPECT_TRUE(keeps("GET / HTTP/1.1\r\nHost: a\r\n\r\n"));
  EXPECT_FALSE(keeps("GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"));
  EXPECT_FALSE(keeps("GET / HTTP/1.0\r\n\r\n"));
  EXPECT_TRUE(keeps("GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n"));
}

TEST(HttpRequest, ToleratesWhatTheRfcAsksToTolerate) {
  EXPECT_EQ(parse("\r\n\r\nGET / HTTP/1.0\r\n\r\n"), Status::complete);
  EXPECT_EQ(parse("GET / HTTP/1.0\n\n"), Status::complete);
  EXPECT_EQ(parse("GET / HTTP/1.0\r\nX:\r\nY:  v \t\r\n\r\n"), Status::complete);
}

TEST(HttpRequest, RefusesWhatIsMalformed) {
  for (const char* const text : {"GET\r\n",
                                 " GET / HTTP/1.1\r\n",
                                 "GET  / HTTP/1.1\r\n",
                                 "GET / HTTP/2.0\r\n",
                                 "GET / HTTP\r\n",
                                 "GET / HTTP/1.1\rX",
                                 "G(T / HTTP/1.1\r\n",
                                 "GET /\x01 HTTP/1.1\r\n",
                                 "\x16\x03\x01\x02",
                                 "GET / HTTP/1.1\r\n: v\r\n",
                                 "GET / HTTP/1.1\r\nA b: v\r\n",
                                 "GET / HTTP/1.1\r\nHost : a\r\n",
                                 "GET / HTTP/1.1\r\nHost: a\r\n folded\r\n",
                                 "GET / HTTP/1.1\r\nHost: a\rb\r\n",
                                 "GET / HTTP/1.1\r\n\r\n",
                                 "GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n",
                                 "GET / HTTP/1.0\r\nContent-Length: -1\r\n",
                                 "GET / HTTP/1.0\r\nContent-Length: 5x\r\n",
                                 "GET / HTTP/1.0\r\nContent-Length:\r\n",
                                 "GET / HTTP/1.0\r\nContent-Length: 5\r\nContent-Length: 6\r\n",
                                 "GET / HTTP/1.0\r\nContent-Length: 99999999999999999999\r\n",
                                 "GET / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n",
                                 "AMETHODFARLONGERTHANANYTHATEXISTS / HTTP/1.1\r\n"}) {
    EXPECT_EQ(parse(text), Status::bad) << text;
  }
}

TEST(HttpRequest, BoundsTheHeadAndTheTarget) {
  const std::string field = "X: " + std::string(1000, 'v') + "\r\n";
  std::string text = "GET / HTTP/1.0\r\n";
  while (text.size() <= HttpRequestParser::kHeadBytesMax) text += field;
  EXPECT_EQ(parse(text), Status::too_large);
  EXPECT_EQ(parse("GET /" + std::string(HttpRequestParser::kTargetBytesMax, 'a')),
            Status::too_long);
  EXPECT_EQ(
      parse("GET /" + std::string(HttpRequestParser::kTargetBytesMax - 1, 'a') + " HTTP/1.0\n\n"),
      Status::complete);
}

TEST(HttpExchange, ServesThePage) {
  HttpExchange exchange(hashes());
  const std::string response = talk(exchange, kGet);
  EXPECT_TRUE(response.starts_with("HTTP/1.1 200 OK\r\n"));
  EXPECT_NE(response.find("Connection: keep-alive\r\n"), std::string::npos);
  EXPECT_EQ(body_of(response), HttpExchange::kPage);
  EXPECT_NE(response.find("Content-Length: " + std::to_string(HttpExchange::kPage.size()) + "\r\n"),
            std::string::npos);
  EXPECT_FALSE(exchange.finished());
}

TEST(HttpExchange, HowARequestIsCutChangesNothing) {
  const std::string two = std::string(kGet) + "GET /bytes/10 HTTP/1.1\r\nHost: a\r\n\r\n";
  HttpExchange whole(hashes());
  const std::string expected = talk(whole, two);
  EXPECT_EQ(count(expected, "200 OK"), 2U);
  for (std::size_t step = 1; step <= two.size(); ++step) {
    HttpExchange exchange(hashes());
    EXPECT_EQ(talk(exchange, two, step), expected) << step;
  }
}

TEST(HttpExchange, PipelinedRequestsWaitForTheAnswerBefore) {
  HttpExchange exchange(hashes());
  const std::string two = std::string(kGet) + std::string(kGet);
  EXPECT_EQ(exchange.receive(bytes(two)), kGet.size());
  EXPECT_EQ(exchange.receive(bytes(kGet)), 0U);
  EXPECT_EQ(exchange.answers(), 1U);
}

TEST(HttpExchange, GeneratesAsManyBytesAsAsked) {
  HttpExchange exchange(hashes());
  const std::string body = body_of(talk(exchange, "GET /bytes/200000 HTTP/1.1\r\nHost: a\r\n\r\n"));
  ASSERT_EQ(body.size(), 200'000U);
  for (std::size_t i = 0; i < body.size(); ++i) {
    ASSERT_EQ(body[i], HttpExchange::kAlphabet[i % 64]) << i;
  }
  EXPECT_EQ(body_of(talk(exchange, "GET /bytes/0 HTTP/1.1\r\nHost: a\r\n\r\n")), "");
  EXPECT_EQ(body_of(talk(exchange, kGet)), HttpExchange::kPage);
}

TEST(HttpExchange, HeadHasTheLengthAndNoBody) {
  HttpExchange exchange(hashes());
  const std::string response = talk(exchange, "HEAD /bytes/123 HTTP/1.1\r\nHost: a\r\n\r\n");
  EXPECT_NE(response.find("Content-Length: 123\r\n"), std::string::npos);
  EXPECT_EQ(body_of(response), "");
}

TEST(HttpExchange, OtherPathsAndMethods) {
  HttpExchange exchange(hashes());
  EXPECT_TRUE(
      talk(exchange, "GET /nothing HTTP/1.1\r\nHost: a\r\n\r\n").starts_with("HTTP/1.1 404 "));
  EXPECT_TRUE(
      talk(exchange, "GET /bytes/x HTTP/1.1\r\nHost: a\r\n\r\n").starts_with("HTTP/1.1 404 "));
  const std::string patch =
      talk(exchange, "PATCH / HTTP/1.1\r\nHost: a\r\nContent-Length: 7\r\n\r\nGET / H");
  EXPECT_TRUE(patch.starts_with("HTTP/1.1 405 "));
  EXPECT_NE(patch.find("Allow: GET, HEAD, PUT, POST\r\n"), std::string::npos);
  // The body was read past, not taken for a request.
  EXPECT_TRUE(talk(exchange, kGet).starts_with("HTTP/1.1 200 "));
}

constexpr std::string_view kAbcReceipt =
    "3 bytes, sha256 ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad\n";

TEST(HttpExchange, UploadsAreHashedHoweverTheyAreCut) {
  for (std::size_t step : {1U, 2U, 1000U}) {
    HttpExchange exchange(hashes());
    for (int i = 0; i < 2; ++i) {  // on one connection
      const std::string put =
          talk(exchange, "PUT /x HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc", step);
      EXPECT_TRUE(put.starts_with("HTTP/1.1 200 "));
      EXPECT_EQ(body_of(put), kAbcReceipt);
    }
    EXPECT_TRUE(talk(exchange, kGet).starts_with("HTTP/1.1 200 "));
  }
}

TEST(HttpExchange, AnUploadThatClosesIsAnsweredFirst) {
  HttpExchange exchange(hashes());
  const std::string head =
      "POST /x HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: 3\r\n\r\n";
  EXPECT_EQ(talk(exchange, head), "");
  EXPECT_FALSE(exchange.finished());
  EXPECT_EQ(body_of(talk(exchange, "abc")), kAbcReceipt);
  EXPECT_TRUE(exchange.finished());
}

TEST(HttpExchange, AClientThatAsksIsToldToGoOn) {
  HttpExchange exchange(hashes());
  const std::string head =
      "PUT /x HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n";
  EXPECT_EQ(talk(exchange, head), "HTTP/1.1 100 Continue\r\n\r\n");
  EXPECT_EQ(body_of(talk(exchange, "abc")), kAbcReceipt);
}

TEST(HttpExchange, AHalfUploadGivesItsHashBack) {
  for (std::size_t i = 0; i < 2 * UploadHashes::kMax; ++i) {
    HttpExchange exchange(hashes());
    const std::string head = "PUT /x HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\n";
    ASSERT_EQ(talk(exchange, head + "a"), "");
    exchange.peer_finished();
    ASSERT_TRUE(exchange.finished());
  }
}

TEST(HttpExchange, MoreUploadsThanThereAreHashesAreRefused) {
  UploadHashes few;
  while (few.lend() != nullptr) {
  }
  HttpExchange exchange(few);
  const std::string put =
      talk(exchange, "PUT /x HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc");
  EXPECT_TRUE(put.starts_with("HTTP/1.1 503 "));
  EXPECT_TRUE(exchange.finished());
}

TEST(HttpExchange, AbsoluteTargetsAndQueriesFindThePage) {
  HttpExchange exchange(hashes());
  EXPECT_TRUE(
      talk(exchange, "GET http://a/?q HTTP/1.1\r\nHost: a\r\n\r\n").starts_with("HTTP/1.1 200 "));
  EXPECT_TRUE(
      talk(exchange, "GET http://a HTTP/1.1\r\nHost: a\r\n\r\n").starts_with("HTTP/1.1 200 "));
}

TEST(HttpExchange, RefusalsAreTheLastAnswer) {
  HttpExchange bad(hashes());
  EXPECT_TRUE(talk(bad, "nonsense\r\n\r\n").starts_with("HTTP/1.1 400 "));
  EXPECT_TRUE(bad.finished());
  EXPECT_EQ(bad.receive(bytes(kGet)), kGet.size());
  EXPECT_TRUE(bad.to_send().empty());
  HttpExchange large(hashes());
  const std::string text = "GET / HTTP/1.1\r\nX: " + std::string(9000, 'x');
  EXPECT_TRUE(talk(large, text).starts_with("HTTP/1.1 431 "));
  EXPECT_TRUE(large.finished());
}

TEST(HttpExchange, ClosesWhenAskedTo) {
  HttpExchange exchange(hashes());
  const std::string response = talk(exchange, "GET / HTTP/1.0\r\n\r\n");
  EXPECT_NE(response.find("Connection: close\r\n"), std::string::npos);
  EXPECT_TRUE(exchange.finished());
}

TEST(HttpExchange, ThePeersFinEndsItAfterTheAnswer) {
  HttpExchange idle(hashes());
  idle.peer_finished();
  EXPECT_TRUE(idle.finished());
  HttpExchange busy(hashes());
  (void)busy.receive(bytes(kGet));
  busy.peer_finished();
  EXPECT_FALSE(busy.finished());
  while (!busy.to_send().empty()) busy.sent(busy.to_send().size());
  EXPECT_TRUE(busy.finished());
}

}  // namespace
}  // namespace handfast::serve
