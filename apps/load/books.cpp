#include "apps/load/books.hpp"

#include <fmt/format.h>

#include "apps/options/readable.hpp"

namespace handfast::load {
namespace {

using apps::grouped;

// Collects what differs.
class Comparison {
 public:
  void expect_equal(std::string_view one, std::uint64_t one_count, std::string_view other,
                    std::uint64_t other_count) {
    if (one_count == other_count) return;
    sentences_.push_back(
        fmt::format("{} {}, but {} {}", one, grouped(one_count), other, grouped(other_count)));
  }
  std::vector<std::string> take() { return std::move(sentences_); }

 private:
  std::vector<std::string> sentences_;
};

std::uint64_t in_state(const Side& side, State state) {
  return side.states[static_cast<std::size_t>(state)];
}

std::uint64_t sum(const std::array<std::uint64_t, kReasonCount>& counts) {
  std::uint64_t total = 0;
  for (const std::uint64_t count : counts) total += count;
  return total;
}

// Connections whose handshake is done and that have not ended.
std::uint64_t synchronized(const Side& side) {
  std::uint64_t total = 0;
  for (const State state : {State::established, State::fin_wait_1, State::fin_wait_2,
                            State::close_wait, State::closing, State::last_ack}) {
    total += in_state(side, state);
  }
  return total;
}

void compare_time_wait(std::string_view name, const Side& side, Comparison& books) {
  const Counters& c = side.counters;
  books.expect_equal(
      fmt::format("{} closes that entered TIME-WAIT", name), c.time_wait_entered,
      "kept, reused, cut short and still there together",
      c.time_wait_kept + c.time_wait_reused + c.time_wait_cut_short + side.time_wait);
}

void compare_client(const Side& client, Comparison& books) {
  const Tally& tally = client.tally;
  const std::uint64_t opening =
      in_state(client, State::syn_sent) + in_state(client, State::syn_received);
  books.expect_equal("connections attempted", tally.attempted,
                     "established, failed and still opening together",
                     tally.established + sum(tally.failed_to_open) + opening);
  books.expect_equal("client connections established", tally.established,
                     "completed, failed and still open together",
                     tally.completed + sum(tally.failed_when_open) + synchronized(client));
  books.expect_equal("connections attempted", tally.attempted, "the client's stack counted",
                     client.counters.active_opens);
  books.expect_equal("client connections established", tally.established,
                     "the client's stack counted", client.counters.established_active);
  compare_time_wait("client", client, books);
}

void compare_server(const Side& server, Comparison& books) {
  const Tally& tally = server.tally;
  books.expect_equal("server connections established", tally.established,
                     "completed, failed and still open together",
                     tally.completed + sum(tally.failed_when_open) + synchronized(server));
  books.expect_equal("server connections established", tally.established,
                     "the server's stack counted", server.counters.established_passive);
  compare_time_wait("server", server, books);
}

void compare_frames(std::string_view from, const Counters& sender, std::string_view to,
                    const Counters& receiver, Comparison& books) {
  books.expect_equal(fmt::format("frames sent by the {}", from), sender.frames_sent,
                     fmt::format("received by the {}", to), receiver.frames_received);
  for (const FrameKind& kind : kTcpKinds) {
    books.expect_equal(fmt::format("{} segments sent by the {}", kind.name, from),
                       sender.*kind.sent, fmt::format("received by the {}", to),
                       receiver.*kind.received);
  }
  books.expect_equal(fmt::format("payload bytes sent by the {}", from), sender.payload_bytes_sent,
                     fmt::format("received by the {}", to), receiver.payload_bytes_received);
}

// What the handlers gave and took. Only where everything ended orderly: a reset discards what is on
// the way.
void compare_bytes(const Side& client, const Side& server, Comparison& books) {
  for (const Side* const side : {&client, &server}) {
    if (side->counters.rst_sent + side->tally.failed() + side->open != 0) return;
  }
  books.expect_equal("bytes given by the client", client.tally.bytes_sent, "taken by the server",
                     server.tally.bytes_received);
  books.expect_equal("bytes given by the server", server.tally.bytes_sent, "taken by the client",
                     client.tally.bytes_received);
}

}  // namespace

Side& Side::operator+=(const Side& other) {
  tally += other.tally;
  held += other.held;
  counters += other.counters;
  stages += other.stages;
  for (std::size_t i = 0; i < states.size(); ++i) states[i] += other.states[i];
  open += other.open;
  time_wait += other.time_wait;
  table_bytes += other.table_bytes;
  return *this;
}

std::uint64_t retransmissions(const Counters& counters) {
  return counters.syn_retransmitted + counters.syn_ack_retransmitted + counters.data_retransmitted +
         counters.fin_retransmitted;
}

std::uint64_t tcp_frames(const Counters& counters) {
  std::uint64_t frames = 0;
  for (const FrameKind& kind : kTcpKinds) frames += counters.*kind.sent + counters.*kind.received;
  return frames;
}

double frames_per_connection(const Side& client) {
  if (client.tally.established == 0) return 0;
  return static_cast<double>(tcp_frames(client.counters)) /
         static_cast<double>(client.tally.established);
}

bool is_drop(std::string_view counter) {
  constexpr std::array<std::string_view, 13> kOthers = {
      "half_open_refused",      "connections_refused",
      "no_packet_buffer",       "no_route",
      "hand_over_full",         "neighbour_queue_dropped",
      "neighbour_unreachable",  "half_open_expired",
      "answers_dropped",        "text_refused_no_packets",
      "syn_dropped_no_packets", "out_of_order_dropped",
      "out_of_order_given_up"};
  if (counter.starts_with("drop_") || counter.starts_with("port_")) return true;
  for (const std::string_view other : kOthers) {
    if (counter == other) return true;
  }
  return false;
}

std::vector<std::string> disagreements(const Books& books) {
  Comparison comparison;
  compare_client(books.client, comparison);
  if (books.server) {
    const Side& client = books.client;
    const Side& server = *books.server;
    compare_server(server, comparison);
    comparison.expect_equal("the client established", client.tally.established,
                            "the server established", server.tally.established);
    comparison.expect_equal("the client completed", client.tally.completed, "the server completed",
                            server.tally.completed);
    comparison.expect_equal("the client counted responses", client.tally.responses,
                            "the server counted responses", server.tally.responses);
    comparison.expect_equal("SYNs whose text was acknowledged", client.counters.fast_open_taken,
                            "the server took", server.counters.fast_open_accepted);
    compare_bytes(client, server, comparison);
    compare_frames("client", client.counters, "server", server.counters, comparison);
    compare_frames("server", server.counters, "client", client.counters, comparison);
  }
  return comparison.take();
}

bool frames_have_arrived(const Books& books) {
  if (!books.server) return true;
  const Counters& client = books.client.counters;
  const Counters& server = books.server->counters;
  return client.frames_sent == server.frames_received &&
         server.frames_sent == client.frames_received;
}

}  // namespace handfast::load
