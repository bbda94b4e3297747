#include "apps/wire/weather.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>

namespace handfast::emulator {
namespace {

using drivers::Impairment;
using Status = apps::Parsed<void>;

// Linux's txqueuelen.
constexpr std::uint64_t kQueueFrames = 1000;

// Puts a parsed value into one member; 0 turns off what has a unit otherwise.
template <auto kMember, auto kParse>
Status set(Impairment& weather, std::string_view text) {
  auto& member = weather.*kMember;
  if (text == "0") {
    member = {};
    return {};
  }
  const auto value = kParse(text);
  if (!value) return std::unexpected(value.error());
  member = *value;
  return {};
}

// "256kB", or "1000frames".
apps::Parsed<drivers::QueueLevel> parse_level(std::string_view text) {
  constexpr std::string_view kFrames = "frames";
  if (text.ends_with(kFrames)) {
    const auto frames = apps::parse_count(text.substr(0, text.size() - kFrames.size()));
    if (frames) return drivers::QueueLevel{.frames = *frames};
  } else if (const auto bytes = apps::parse_size(text); bytes) {
    return drivers::QueueLevel{.bytes = *bytes};
  }
  return std::unexpected(
      fmt::format("'{}' is not a length of a queue; write bytes like 256kB, or 1000frames", text));
}

// "P,R", "P,R,BAD" or "P,R,BAD,GOOD".
apps::Parsed<drivers::GilbertElliott> parse_bursts(std::string_view text) {
  std::array<double, 4> numbers = {0, 1, 1, 0};
  std::size_t count = 0;
  for (std::size_t start = 0; start <= text.size(); ++count) {
    const std::size_t comma = std::min(text.find(',', start), text.size());
    if (count == numbers.size()) break;
    const auto number = apps::parse_probability(text.substr(start, comma - start));
    if (!number) return std::unexpected(number.error());
    numbers[count] = *number;
    start = comma + 1;
  }
  const auto [p, r, bad, good] = numbers;
  if (count < 2 || std::ranges::count(text, ',') > 3) {
    return std::unexpected(fmt::format(
        "'{}' is not P,R[,BAD[,GOOD]]: how likely a good line turns bad, a bad one good, and what "
        "each loses; write 1%,25% or 1%,25%,80%,0.1%",
        text));
  }
  if (r == 0) return std::unexpected("a line that never recovers is --loss; write R above 0");
  return drivers::GilbertElliott{.p = p, .r = r, .loss_good = good, .loss_bad = bad};
}

struct Setting {
  const char* name;
  Status (*set)(Impairment&, std::string_view);
  const char* type;
  const char* help;
};

constexpr Setting kSettings[] = {
    {"loss", set<&Impairment::drop, apps::parse_probability>, "P", "lose frames at random"},
    {"burst-loss", set<&Impairment::bursts, parse_bursts>, "P,R[,BAD[,GOOD]]",
     "lose frames in bursts (Gilbert-Elliott): good to bad, bad to good, loss in each"},
    {"delay", set<&Impairment::delay, apps::parse_duration>, "TIME", "time on the way"},
    {"jitter", set<&Impairment::jitter, apps::parse_duration>, "TIME",
     "up to so much more, at random, in order"},
    {"reorder", set<&Impairment::reorder, apps::parse_probability>, "P",
     "let frames come late, so that later ones overtake"},
    {"reorder-by", set<&Impairment::reorder_delay, apps::parse_duration>, "TIME",
     "how late; default: 1ms"},
    {"duplicate", set<&Impairment::duplicate, apps::parse_probability>, "P", "send frames twice"},
    {"corrupt", set<&Impairment::corrupt, apps::parse_probability>, "P", "flip a bit of frames"},
    {"rate", set<&Impairment::bits_per_second, apps::parse_bit_rate>, "BITS",
     "bits a second of the line; default: no limit"},
    {"queue", set<&Impairment::queue_max, parse_level>, "LENGTH",
     "queue before the line, in bytes (256kB) or frames (1000frames); default with a rate: "
     "1000frames"},
    {"ecn", set<&Impairment::ce_threshold, parse_level>, "LENGTH",
     "mark ECN-capable frames that meet a longer queue than this; default: never"},
};

void add_for(CLI::App& app, const std::string& prefix, const std::string& group,
             std::initializer_list<Impairment*> directions) {
  for (const Setting& setting : kSettings) {
    const std::string name = "--" + prefix + setting.name;
    app.add_option_function<std::string>(
           name,
           [&setting, name, into = std::vector<Impairment*>(directions)](const std::string& text) {
             for (Impairment* const weather : into) {
               if (auto ok = setting.set(*weather, text); !ok) {
                 throw CLI::ValidationError(name, ok.error());
               }
             }
           },
           setting.help)
        ->type_name(setting.type)
        ->group(group);
  }
}

}  // namespace

// CLI11 runs an option's function in the order of the options here, not of the command line.
void add_weather_options(CLI::App& app, Impairment& a_to_b, Impairment& b_to_a) {
  add_for(app, "", "Weather in both directions", {&a_to_b, &b_to_a});
  add_for(app, "ab-", "Weather from A to B, instead", {&a_to_b});
  add_for(app, "ba-", "Weather from B to A, instead", {&b_to_a});
}

std::expected<void, std::string> complete_weather(Impairment& weather, std::string_view prefix) {
  const auto is_given = [](const drivers::QueueLevel& level) {
    return level.bytes != 0 || level.frames != 0;
  };
  if (weather.bits_per_second == 0) {
    for (const auto& [name, level] :
         {std::pair{"queue", weather.queue_max}, std::pair{"ecn", weather.ce_threshold}}) {
      if (is_given(level)) {
        return std::unexpected(fmt::format(
            "--{0}{1} has no effect without a rate; give --{0}rate too, like 1G", prefix, name));
      }
    }
    return {};
  }
  if (!is_given(weather.queue_max)) weather.queue_max.frames = kQueueFrames;
  return {};
}

}  // namespace handfast::emulator
