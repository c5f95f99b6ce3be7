#include "sim/loss_scaling.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <limits>

#include "formats/error.h"
#include "formats/text.h"
#include "sim/toml_writer.h"

namespace accsim::sim {
namespace {

constexpr const char* accepted_policies =
    "stored, constant:SCALE, backoff[:init=S,factor=F,window=N,max=S,min=ITERATION:S/ITERATION:S/...]";
constexpr const char* accepted_scale = "a finite number above zero";

/// A number as people write it: 1024, 1e4, 2^10.
double number_of(std::string_view text, const std::string& where, const char* accepted) {
  const auto plain = [&](std::string_view part) {
    double value = 0;
    const auto [end, error] = std::from_chars(part.data(), part.data() + part.size(), value);
    if (error != std::errc{} || end != part.data() + part.size()) throw InputError(where, "\"" + std::string(text) + "\"", accepted);
    return value;
  };
  const std::size_t power = text.find('^');
  if (power == std::string_view::npos) return plain(text);
  return std::pow(plain(text.substr(0, power)), plain(text.substr(power + 1)));
}

double scale_of(std::string_view text, const std::string& where) {
  const double scale = number_of(text, where, accepted_scale);
  if (!std::isfinite(scale) || scale <= 0) throw InputError(where, std::string(text), accepted_scale);
  return scale;
}

std::int64_t count_of(std::string_view text, const std::string& where, std::int64_t least) {
  const std::string accepted = "an integer not below " + std::to_string(least);
  const double value = number_of(text, where, accepted.c_str());
  if (!(value >= static_cast<double>(least) && value <= 1e15) || value != std::floor(value))
    throw InputError(where, std::string(text), accepted);
  return static_cast<std::int64_t>(value);
}

std::vector<ScaleMinimum> schedule_of(const std::string& text, const std::string& where) {
  std::vector<ScaleMinimum> schedule;
  for (const std::string& entry : split(text, '/')) {
    const std::vector<std::string> parts = split(entry, ':');
    if (parts.size() != 2) throw InputError(where, "\"" + entry + "\"", "ITERATION:SCALE/ITERATION:SCALE/...");
    const ScaleMinimum minimum{count_of(parts[0], where, 0), scale_of(parts[1], where)};
    if (!schedule.empty() && minimum.iteration <= schedule.back().iteration)
      throw InputError(where, "iteration " + parts[0] + " after " + std::to_string(schedule.back().iteration), "iterations that increase");
    if (!schedule.empty() && minimum.scale < schedule.back().scale)
      throw InputError(where, "the minimum goes down to " + parts[1] + " at iteration " + parts[0], "a minimum that never goes down");
    schedule.push_back(minimum);
  }
  if (schedule.front().iteration != 0) schedule.insert(schedule.begin(), {0, std::min(1.0, schedule.front().scale)});
  return schedule;
}

}  // namespace

LossScaling parse_loss_scaling(std::string_view spelled) {
  const std::string text(trimmed(spelled));
  const std::size_t colon = text.find(':');
  const std::string policy = lower_case(text.substr(0, colon));
  const bool has_options = colon != std::string::npos;
  const std::string options = has_options ? text.substr(colon + 1) : "";
  LossScaling s;
  if (policy == "stored" && !has_options) return s;
  if (policy == "constant") {
    s.policy = LossPolicy::constant;
    s.constant = scale_of(options, "loss scale");
    return s;
  }
  if (policy != "backoff") throw InputError("loss scaling", "\"" + text + "\"", accepted_policies);
  s.policy = LossPolicy::backoff;
  bool has_init = false;
  if (has_options) {
    for (const std::string& option : split(options, ',')) {
      const std::size_t equals = option.find('=');
      const std::string key = option.substr(0, equals);
      const std::string value = equals == std::string::npos ? "" : option.substr(equals + 1);
      const std::string where = "loss scaling: " + key;
      if (key == "init") {
        s.init = scale_of(value, where);
        has_init = true;
      } else if (key == "max") {
        s.max = scale_of(value, where);
      } else if (key == "factor") {
        s.factor = number_of(value, where, "a finite number above one");
        if (!std::isfinite(s.factor) || s.factor <= 1) throw InputError(where, value, "a finite number above one");
      } else if (key == "window") {
        s.window = count_of(value, where, 1);
      } else if (key == "min") {
        s.minimum = schedule_of(value, where);
      } else {
        throw InputError("loss scaling", "\"" + option + "\"", "init=, factor=, window=, max=, min=");
      }
    }
  }
  if (s.minimum.back().scale > s.max)
    throw InputError("loss scaling: min", number(s.minimum.back().scale), "a minimum not above max, " + number(s.max));
  if (!has_init) s.init = s.max;
  if (s.init > s.max) throw InputError("loss scaling: init", number(s.init), "a scale not above max, " + number(s.max));
  return s;
}

std::string spelling(const LossScaling& s) {
  const auto shown = [](double value) {
    const bool whole = value == std::floor(value) && std::fabs(value) < 9007199254740992.0;
    return whole ? std::to_string(static_cast<std::int64_t>(value)) : number(value);
  };
  switch (s.policy) {
    case LossPolicy::stored: return "stored";
    case LossPolicy::constant: return "constant:" + shown(s.constant);
    case LossPolicy::backoff: break;
  }
  std::string text = "backoff:init=" + shown(s.init) + ",factor=" + shown(s.factor) + ",window=" + std::to_string(s.window) +
                     ",max=" + shown(s.max) + ",min=";
  for (const ScaleMinimum& m : s.minimum) text += (m.iteration == 0 ? "" : "/") + std::to_string(m.iteration) + ":" + shown(m.scale);
  return text;
}

LossScaler::LossScaler(const LossScaling& scaling)
    : scaling_(scaling), scale_(scaling.policy == LossPolicy::backoff ? scaling.init : scaling.constant) {}

double LossScaler::minimum() const {
  double least = 0;
  for (const ScaleMinimum& m : scaling_.minimum) {
    if (m.iteration <= iteration_) least = m.scale;
  }
  return least;
}

double LossScaler::scale() const { return scaling_.policy == LossPolicy::backoff ? std::max(scale_, minimum()) : scale_; }

void LossScaler::finish_iteration(bool overflow) {
  if (scaling_.policy == LossPolicy::backoff) {
    scale_ = scale();
    if (overflow) {
      scale_ = std::clamp(scale_ / scaling_.factor, minimum(), scaling_.max);
      last_overflow_ = iteration_;
    } else if ((iteration_ - last_overflow_) % scaling_.window == 0) {
      scale_ = std::clamp(scale_ * scaling_.factor, minimum(), scaling_.max);
    }
  }
  ++iteration_;
}

}  // namespace accsim::sim
