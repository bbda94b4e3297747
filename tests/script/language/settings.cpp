#include "tests/script/language/settings.hpp"

#include <array>

namespace handfast::script {
namespace {

template <class Enum, std::size_t N>
using Names = std::array<std::pair<std::string_view, Enum>, N>;

template <class Enum, std::size_t N>
void choose(Line& line, const Names<Enum, N>& names, Enum& out) {
  const std::string word = line.words().take();
  std::string known;
  for (const auto& [name, value] : names) {
    if (name == word) {
      out = value;
      return;
    }
    known += fmt::format("{}{}", known.empty() ? "" : ", ", name);
  }
  line.refuse(word, known);
}

constexpr Names<EcnMode, 3> kEcnModes = {
    {{"off", EcnMode::off}, {"accept", EcnMode::accept}, {"offer", EcnMode::offer}}};
constexpr Names<FastOpen, 4> kFastOpens = {{{"off", FastOpen::off},
                                            {"client", FastOpen::client},
                                            {"server", FastOpen::server},
                                            {"both", FastOpen::both}}};
constexpr Names<CongestionControl, 5> kAlgorithms = {{{"new_reno", CongestionControl::new_reno},
                                                      {"cubic", CongestionControl::cubic},
                                                      {"dctcp", CongestionControl::dctcp},
                                                      {"bbr", CongestionControl::bbr},
                                                      {"none", CongestionControl::none}}};

struct DurationSetting {
  std::string_view name;
  Duration StackConfig::*field;
};
constexpr std::array<DurationSetting, 9> kDurations = {
    {{"msl", &StackConfig::msl},
     {"rto_initial", &StackConfig::rto_initial},
     {"rto_min", &StackConfig::rto_min},
     {"rto_max", &StackConfig::rto_max},
     {"syn_timeout", &StackConfig::syn_timeout},
     {"user_timeout", &StackConfig::user_timeout},
     {"delayed_ack", &StackConfig::delayed_ack},
     {"keep_alive", &StackConfig::keep_alive},
     {"keep_alive_interval", &StackConfig::keep_alive_interval}}};

struct SwitchSetting {
  std::string_view name;
  bool StackConfig::*field;
};
constexpr std::array<SwitchSetting, 5> kSwitches = {
    {{"timestamps", &StackConfig::timestamps},
     {"window_scaling", &StackConfig::window_scaling},
     {"sack", &StackConfig::sack},
     {"nagle", &StackConfig::nagle},
     {"textbook", &StackConfig::textbook}}};

struct NumberSetting {
  std::string_view name;
  std::uint32_t StackConfig::*field;
};
constexpr std::array<NumberSetting, 8> kNumbers = {
    {{"send_buffer", &StackConfig::send_buffer},
     {"receive_buffer", &StackConfig::receive_buffer},
     {"send_buffer_max", &StackConfig::send_buffer_max},
     {"receive_buffer_max", &StackConfig::receive_buffer_max},
     {"max_connections", &StackConfig::max_connections},
     {"max_half_open", &StackConfig::max_half_open},
     {"max_time_wait", &StackConfig::max_time_wait},
     {"max_fast_open", &StackConfig::max_fast_open}}};

// The setting of this name in a table, or none.
template <class Table>
auto find_setting(const Table& table, std::string_view name) {
  for (const auto& setting : table) {
    if (setting.name == name) return &setting;
  }
  return static_cast<decltype(&table[0])>(nullptr);
}

}  // namespace

Address local_address(bool is_v6) {
  return is_v6 ? Address::from_bytes({0x20, 1, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1})
               : Address::v4(0xc6120001);
}

Address peer_address(bool is_v6) {
  return is_v6 ? Address::from_bytes({0x20, 1, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2})
               : Address::v4(0xc6120002);
}

StackConfig default_settings(bool is_v6) {
  StackConfig config;
  const auto length = static_cast<std::uint8_t>(is_v6 ? 64 : 24);
  config.interface.addresses = {{local_address(is_v6), length}};
  config.max_connections = 16;
  config.max_half_open = 16;
  config.max_time_wait = 16;
  config.delayed_ack = Duration{0};
  config.seed = 1;
  return config;
}

void parse_setting(Line& line, std::string_view name, StackConfig& config) {
  if (const auto* const duration = find_setting(kDurations, name)) {
    config.*duration->field = line.duration();
  } else if (const auto* const on = find_setting(kSwitches, name)) {
    config.*on->field = line.get(parse_switch(line.words().take()));
  } else if (const auto* const number = find_setting(kNumbers, name)) {
    config.*number->field = line.number_up_to<std::uint32_t>(1U << 30);
  } else if (name == "ecn") {
    choose(line, kEcnModes, config.ecn);
  } else if (name == "fast_open") {
    choose(line, kFastOpens, config.fast_open);
  } else if (name == "congestion") {
    choose(line, kAlgorithms, config.congestion_control);
  } else if (name == "mtu") {
    config.interface.mtu = line.number_up_to<std::uint16_t>(9000);
  } else if (name == "hop_limit") {
    config.interface.hop_limit = line.number_up_to<std::uint8_t>(255);
  } else if (name == "dscp") {
    config.interface.dscp = line.number_up_to<std::uint8_t>(63);
  } else if (name == "keep_alive_probes") {
    config.keep_alive_probes = line.number_up_to<std::uint8_t>(255);
  } else {
    line.refuse(name, "a setting of StackConfig, as timestamps, sack, nagle, rto_min or mtu,");
  }
}

}  // namespace handfast::script
