// A binary16 adder of four stages in a loop (kind = "interleaved", ways = 4, combine = "coalesce"; reference/online.md 6.2): the i-th number of
// a sum is added to what leaves the loop, partial sum i mod 4. The loop turns when a number comes; behind the last one it turns on, and what
// leaves it is added in pairs as it appears, until one sum is left, the result. Numbers are taken while none of that goes on; while a result
// is not taken everything stands still. Round to nearest even, subnormals, infinities and NaN as IEEE 754. A gate makes the number zero of its
// sign (a product with 0 or 1).
// BUG: 1 sticky bit lost, 2 one register too many behind the loop, 3 ties rounded away.
module fp16_accumulator #(
    parameter BUG = 0
) (
    input  logic        clk, rst, in_valid, last, out_ready,
    input  logic [15:0] number,
    input  logic        gate,
    output logic        in_ready, out_valid,
    output logic [15:0] acc
);
  // What goes into the loop: a number and what leaves, or the sum that waits for a partner and what leaves.
  logic        v1, v2, v3, v4, combining, has_partner, result_valid;
  logic [15:0] acc_4, partner, result, x, y;
  wire stall = out_valid & !out_ready;
  assign in_ready = !combining & !stall;
  wire take = in_valid & in_ready;
  wire turn = take | (combining & !stall);
  wire leaves = combining & v4;
  wire pair = leaves & has_partner;
  wire waits = leaves ^ has_partner;  // a sum that waits behind this clock
  wire done = combining & waits & !(v1 | v2 | v3);
  wire [15:0] gated = gate ? number : (number[14:10] == 5'd31) ? 16'h7e00 : {number[15], 15'd0};
  assign x = combining ? partner : gated;
  assign y = v4 ? acc_4 : 16'd0;

  // Stage 1: the larger magnitude first.
  logic [15:0] big1, small1;
  logic        nan1, nan2, nan3;
  logic        inf1, inf2, inf3;

  // Stage 2: aligned, with guard, round and sticky.
  logic        sign2, sub2, zero2;
  logic [4:0]  exp2;
  logic [13:0] big2, small2;
  // Stage 3: summed.
  logic        sign3, zero3;
  logic [4:0]  exp3;
  logic [14:0] sum3;

  function automatic logic [4:0] exponent(input logic [15:0] v);
    exponent = (v[14:10] == 5'd0) ? 5'd1 : v[14:10];
  endfunction
  function automatic logic [13:0] significand(input logic [15:0] v);
    significand = {v[14:10] != 5'd0, v[9:0], 3'b0};
  endfunction
  function automatic logic [13:0] aligned(input logic [13:0] s, input logic [4:0] distance);
    logic [13:0] shifted;
    shifted = s >> distance;
    aligned = shifted;
    if (BUG != 1) aligned[0] = shifted[0] | ((shifted << distance) != s);
  endfunction
  function automatic logic [3:0] leading_zeros(input logic [14:0] v);
    logic seen;
    leading_zeros = 4'd0;
    seen = 1'b0;
    for (int i = 14; i >= 0; i = i - 1) begin
      if (v[i]) seen = 1'b1;
      if (!seen) leading_zeros = leading_zeros + 4'd1;
    end
  endfunction

  // Stage 4: normalized (not below the subnormals' exponent) and rounded. Bit 14 of the sum is the carry; bit 13 the leading one.
  logic [3:0]  zeros;
  logic [4:0]  up;
  logic [14:0] shifted;
  logic        jam;
  logic [4:0]  field;
  logic        round_up;
  logic [15:0] packed_code;
  assign zeros = leading_zeros(sum3);
  always @* begin
    jam = 1'b0;
    up = 5'd0;
    if (sum3[14]) begin
      jam = sum3[0];
      shifted = sum3 >> 1;
      field = exp3 + 5'd1;
    end else begin
      up = ({1'b0, zeros} - 5'd1 < exp3 - 5'd1) ? {1'b0, zeros} - 5'd1 : exp3 - 5'd1;
      shifted = sum3 << up;
      field = shifted[13] ? exp3 - up : 5'd0;
    end
    // Below the kept bits: shifted[2] half, the rest sticky.
    round_up = shifted[2] & (shifted[1] | shifted[0] | jam | shifted[3] | (BUG == 3));
    packed_code = {1'b0, field, shifted[12:3]} + {15'd0, round_up};
  end

  always @(posedge clk) begin
    if (rst) begin
      {v1, v2, v3, v4, combining, has_partner, result_valid} <= 7'd0;
      {acc_4, partner, result} <= 48'd0;
    end else if (!stall) begin
      result_valid <= done;
      if (done) result <= leaves ? acc_4 : partner;
      if (take && last) combining <= 1'b1;
      else if (done) combining <= 1'b0;
      if (combining) begin
        has_partner <= waits & !done;
        if (leaves && !has_partner) partner <= acc_4;
      end
      if (turn) {v1, v2, v3, v4} <= {combining ? pair : 1'b1, v1, v2, v3};
    end
    if (turn) begin
      big1 <= (x[14:0] >= y[14:0]) ? x : y;
      small1 <= (x[14:0] >= y[14:0]) ? y : x;
      nan1 <= (x[14:0] > 15'h7c00) | (y[14:0] > 15'h7c00) | (x[14:0] == 15'h7c00 & y[14:0] == 15'h7c00 & x[15] != y[15]);
      inf1 <= (x[14:0] == 15'h7c00) | (y[14:0] == 15'h7c00);

      nan2 <= nan1;
      inf2 <= inf1;
      sign2 <= big1[15];
      sub2 <= big1[15] != small1[15];
      zero2 <= big1[15] & small1[15];
      exp2 <= exponent(big1);
      big2 <= significand(big1);
      small2 <= aligned(significand(small1), exponent(big1) - exponent(small1));

      nan3 <= nan2;
      inf3 <= inf2;
      sign3 <= sign2;
      zero3 <= zero2;
      exp3 <= exp2;
      sum3 <= sub2 ? {1'b0, big2} - {1'b0, small2} : {1'b0, big2} + {1'b0, small2};

      if (!rst) begin
        if (nan3) acc_4 <= 16'h7e00;
        else if (inf3 | packed_code[14:10] == 5'd31 | field == 5'd31) acc_4 <= {sign3, 15'h7c00};
        else if (sum3 == 15'd0) acc_4 <= {zero3, 15'd0};
        else acc_4 <= {sign3, packed_code[14:0]};
      end
    end
  end

  generate
    if (BUG == 2) begin : late
      logic        valid_5;
      logic [15:0] acc_5;
      always @(posedge clk) begin
        if (rst) valid_5 <= 1'b0;
        else if (!stall) valid_5 <= result_valid;
        acc_5 <= result;
      end
      assign out_valid = valid_5;
      assign acc = acc_5;
    end else begin : on_time
      assign out_valid = result_valid;
      assign acc = result;
    end
  endgenerate
endmodule
