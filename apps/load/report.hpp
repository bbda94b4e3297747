// Report: all that is known at the end of a run, and its two shapes: text for people, JSON for
// programs. Neither prints nor decides anything but whether the run went well.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <vector>

#include "apps/load/books.hpp"
#include "apps/load/bottleneck.hpp"
#include "apps/load/histogram.hpp"
#include "apps/load/memory.hpp"
#include "apps/load/options.hpp"
#include "apps/stream/transfer.hpp"

namespace handfast::load {

struct StreamResult {
  Duration time{};                   // from the last connection's opening to the first's closing
  std::uint64_t bytes_sent = 0;      // by the client, in that time, each once
  std::uint64_t bytes_received = 0;  // by the client's handlers, in that time
};

// Connections that were all opened first and kept: those of hold, exchange and --held.
struct KeptResult {
  Duration open_time{};  // until all were open; with exchange, until each has answered once
  std::uint64_t connections = 0;
  MemoryUse memory;  // when they were; shown for hold, where nothing else takes any
};

struct Report {
  Options options;
  Duration start_time{};  // of the runtime: memory is taken, the ports come up
  Duration run_time{};    // first opening to last close; with exchange and --held the work alone
  bool interrupted = false;
  bool drained = true;  // nothing was open at the end
  Books books;
  Work work;
  Histogram handshake;
  std::optional<StreamResult> stream;
  Histogram round_trip;                         // of exchange, in ns
  std::optional<KeptResult> kept;               // none when not all could be opened
  std::vector<apps::TransferRecord> transfers;  // of downloads, and of streams that have a length
  std::vector<std::string> disagreements;

  // None failed, none left over, and the books agree.
  bool went_well() const;
  // Connections a second that were opened and closed, without those of --held.
  double connections_per_second() const;
  double requests_per_second() const;  // of exchange
  // Why connections that were to be kept were not; empty when they all were.
  std::string shortfall() const;
};

std::string to_text(const Report& report);
nlohmann::ordered_json to_json(const Report& report);

// What is printed while it runs: a heading, and a line for the time since the line before.
struct Moment {
  Duration time{};  // since the start
  std::uint64_t opened = 0;
  std::uint64_t closed = 0;
  std::uint64_t in_flight = 0;
  std::uint64_t time_wait = 0;
  std::uint64_t retransmitted = 0;
  std::uint64_t failed = 0;
  std::uint64_t payload_bytes = 0;  // both ways
  std::uint64_t room_wait_ns = 0;
};
std::string progress_heading(Mode mode);
std::string progress_line(Mode mode, const Moment& before, const Moment& now);

}  // namespace handfast::load
