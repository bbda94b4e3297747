// Books: what each end of a run has counted, and whether the counts agree: the handlers' with the
// stack's, and the client's with the server's. Plain values; gathered by run.cpp, shown by the
// reports.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "apps/load/tally.hpp"
#include "handfast/counters.hpp"
#include "handfast/stages.hpp"
#include "handfast/worker.hpp"

namespace handfast::load {

// One end: all its workers together.
struct Side {
  Tally tally;
  Tally held;  // the part of it that is --held's
  Counters counters;
  StageTimes stages;     // when built to measure them
  StateCounts states{};  // TIME-WAIT included
  std::uint64_t open = 0;
  std::uint64_t time_wait = 0;
  std::uint64_t table_bytes = 0;  // see Worker::connection_table_bytes()

  Side& operator+=(const Side& other);
};

struct Books {
  Side client;
  std::optional<Side> server;  // none: a foreign one
};

// A kind of frame, with its two counters.
struct FrameKind {
  std::string_view name;  // as the RFC spells it
  std::string_view json_name;
  std::uint64_t Counters::*sent;
  std::uint64_t Counters::*received;
};
inline constexpr std::array<FrameKind, 6> kTcpKinds = {{
    {"SYN", "syn", &Counters::syn_sent, &Counters::syn_received},
    {"SYN-ACK", "syn_ack", &Counters::syn_ack_sent, &Counters::syn_ack_received},
    {"ACK", "ack", &Counters::ack_sent, &Counters::ack_received},
    {"data", "data", &Counters::data_sent, &Counters::data_received},
    {"FIN", "fin", &Counters::fin_sent, &Counters::fin_received},
    {"RST", "rst", &Counters::rst_sent, &Counters::rst_received},
}};

// Segments sent again, of whatever kind.
std::uint64_t retransmissions(const Counters& counters);
// TCP segments in both directions, as one end saw them.
std::uint64_t tcp_frames(const Counters& counters);
// Segments for each established connection, as the client saw them; 0 without any.
double frames_per_connection(const Side& client);
// Whether a counter of that name tells of something dropped or refused.
bool is_drop(std::string_view counter);

// A sentence for every two counts that should be equal and are not; empty when the books agree.
std::vector<std::string> disagreements(const Books& books);
// Whether every frame that one end sent has been received by the other; true for a foreign server.
bool frames_have_arrived(const Books& books);

}  // namespace handfast::load
