// A binary16 adder of four stages in a loop over four partial sums (kind = "interleaved", ways = 4): the i-th number goes to sum i mod 4,
// round to nearest even, subnormals, infinities and NaN as IEEE 754. A gate makes the number zero of its sign (a product with 0 or 1). `first` starts all four from zero. Its result stands four registers later.
// BUG: 1 sticky bit lost, 2 one register too many behind the loop, 3 ties rounded away.
module fp16_accumulator #(
    parameter BUG = 0
) (
    input  logic        clk, rst, in_valid, first,
    input  logic [15:0] number,
    input  logic        gate,
    output logic        out_valid,
    output logic [15:0] acc
);
  // Which sum, and what it holds; with `first` the others are empty until their turn comes.
  logic [1:0]  way, now;
  logic [3:0]  there;
  logic [15:0] partial [0:3];
  logic [15:0] x, y;
  assign x = gate ? number : (number[14:10] == 5'd31) ? 16'h7e00 : {number[15], 15'd0};
  assign now = first ? 2'd0 : way;

  // Stage 1: the larger magnitude first.
  logic        v1, v2, v3, v4;
  logic [1:0]  w1, w2, w3, w4;
  logic [15:0] big1, small1, acc_4;
  logic        nan1, nan2, nan3;
  logic        inf1, inf2, inf3;
  assign y = (there[now] && !first) ? ((v4 && w4 == now) ? acc_4 : partial[now]) : 16'd0;

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
    v1 <= in_valid & !rst;
    w1 <= now;
    if (rst) way <= 2'd0;
    else if (in_valid) way <= now + 2'd1;
    if (rst) there <= 4'd0;
    else if (in_valid) there <= first ? 4'd1 : there | (4'd1 << now);
    big1 <= (x[14:0] >= y[14:0]) ? x : y;
    small1 <= (x[14:0] >= y[14:0]) ? y : x;
    nan1 <= (x[14:0] > 15'h7c00) | (y[14:0] > 15'h7c00) | (x[14:0] == 15'h7c00 & y[14:0] == 15'h7c00 & x[15] != y[15]);
    inf1 <= (x[14:0] == 15'h7c00) | (y[14:0] == 15'h7c00);

    v2 <= v1 & !rst;
    w2 <= w1;
    nan2 <= nan1;
    inf2 <= inf1;
    sign2 <= big1[15];
    sub2 <= big1[15] != small1[15];
    zero2 <= big1[15] & small1[15];
    exp2 <= exponent(big1);
    big2 <= significand(big1);
    small2 <= aligned(significand(small1), exponent(big1) - exponent(small1));

    v3 <= v2 & !rst;
    w3 <= w2;
    nan3 <= nan2;
    inf3 <= inf2;
    sign3 <= sign2;
    zero3 <= zero2;
    exp3 <= exp2;
    sum3 <= sub2 ? {1'b0, big2} - {1'b0, small2} : {1'b0, big2} + {1'b0, small2};

    v4 <= v3 & !rst;
    w4 <= w3;
    if (nan3) acc_4 <= 16'h7e00;
    else if (inf3 | packed_code[14:10] == 5'd31 | field == 5'd31) acc_4 <= {sign3, 15'h7c00};
    else if (sum3 == 15'd0) acc_4 <= {zero3, 15'd0};
    else acc_4 <= {sign3, packed_code[14:0]};
    if (v4) partial[w4] <= acc_4;
  end

  generate
    if (BUG == 2) begin : late
      logic        valid_5;
      logic [15:0] acc_5;
      always @(posedge clk) begin
        valid_5 <= v4 & !rst;
        acc_5 <= acc_4;
      end
      assign out_valid = valid_5;
      assign acc = acc_5;
    end else begin : on_time
      assign out_valid = v4;
      assign acc = acc_4;
    end
  endgenerate
endmodule
