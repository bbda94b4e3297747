#include "apps/stream/transfer.hpp"

#include <nlohmann/json.hpp>

namespace handfast::apps {
namespace {

using Json = nlohmann::ordered_json;

Json or_null(const std::string& text) {
  return text.empty() ? Json(nullptr) : Json(text);
}

// The names and units of ConnectionInfo.
Json to_json(const ConnectionInfo& info) {
  return {{"congestion_control", info.congestion_control},
          {"snd_mss", info.snd_mss},
          {"pmtu", info.pmtu},
          {"snd_cwnd", info.snd_cwnd},
          {"snd_ssthresh", info.snd_ssthresh},
          {"snd_wnd", info.snd_wnd},
          {"rcv_wnd", info.rcv_wnd},
          {"rtt_us", info.rtt_us},
          {"rttvar_us", info.rttvar_us},
          {"rto_us", info.rto_us},
          {"min_rtt_us", info.min_rtt_us},
          {"total_retrans", info.total_retrans},
          {"dsack_dups", info.dsack_dups},
          {"reordering", info.reordering},
          {"delivered", info.delivered},
          {"delivery_rate", info.delivery_rate}};
}

}  // namespace

TransferRecord Transfer::record() const {
  return {.bytes_sent = bytes_sent,
          .bytes_received = bytes_received,
          .time = last - opened,
          .peer_finished = peer_finished,
          .ending = ending ? std::string(to_string(*ending)) : std::string(),
          .sha256 = received ? received->hex() : std::string(),
          .info = info};
}

Json to_json(const TransferRecord& record) {
  const double seconds = std::chrono::duration<double>(record.time).count();
  const auto rate = [&](std::uint64_t bytes) {
    return seconds <= 0 ? 0 : static_cast<double>(bytes) * 8 / seconds;
  };
  Json json;
  json["bytes_sent"] = record.bytes_sent;
  json["bytes_received"] = record.bytes_received;
  json["seconds"] = seconds;
  json["sent_bits_per_second"] = rate(record.bytes_sent);
  json["received_bits_per_second"] = rate(record.bytes_received);
  json["peer_finished"] = record.peer_finished;
  json["ended"] = or_null(record.ending);
  json["sha256"] = or_null(record.sha256);
  json["tcp_info"] = record.info ? to_json(*record.info) : Json(nullptr);
  return json;
}

}  // namespace handfast::apps
