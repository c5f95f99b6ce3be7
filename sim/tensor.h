// A tensor as the datapath sees it: the values decode(code) - zero_point of a dataset, beside the scales that make them real numbers.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <variant>
#include <vector>

#include "formats/format.h"

namespace accsim::sim {

/// Codes of a format of at most 16 bits beside the value of each code.
template <class Word>
struct Coded {
  std::vector<Word> codes;
  std::vector<double> values;  ///< 2^bits of them
  [[nodiscard]] std::size_t size() const { return codes.size(); }
  [[nodiscard]] double at(std::size_t i) const { return values[codes[i]]; }
};

/// Element values in the smallest carrier that holds every one of them exactly.
class Values {
 public:
  using Storage =
      std::variant<std::vector<float>, std::vector<double>, std::vector<formats::Exact>, Coded<std::uint8_t>, Coded<std::uint16_t>>;

  Values() = default;
  explicit Values(Storage storage) : storage_(std::move(storage)) {}

  [[nodiscard]] std::int64_t size() const;
  /// True where `number` is exact.
  [[nodiscard]] bool fits_double() const { return !std::holds_alternative<std::vector<formats::Exact>>(storage_); }
  /// The element as the nearest binary64.
  [[nodiscard]] double number(std::int64_t i) const;
  /// Elements from `first` on as the nearest binary64.
  void numbers(std::int64_t first, std::span<double> to) const;
  [[nodiscard]] formats::Exact exact(std::int64_t i) const;
  [[nodiscard]] const Storage& storage() const { return storage_; }

 private:
  Storage storage_;
};

struct Tensor {
  std::vector<std::int64_t> shape;                ///< row-major
  Values values;                                  ///< decode(code) - zero_point, or the floating-point data as stored
  std::optional<formats::Format> format;          ///< of the stored codes; unset for floating-point data
  formats::Exact zero_point_min, zero_point_max;  ///< extremes over the axis, for range bounds
  int emin = -1022;                ///< exponent of the smallest normal of the stored type: what fused_sum aligns a subnormal by
  std::vector<double> scale{1.0};  ///< one for all, or one for each index along scale_axis
  int scale_axis = -1;             ///< -1: scale has one element

  [[nodiscard]] std::int64_t size() const;
  /// The scale of one element.
  [[nodiscard]] double scale_of(std::int64_t element) const;
};

}  // namespace accsim::sim
