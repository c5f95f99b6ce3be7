// int8 products into a 16-bit accumulator that wraps (int16_wrap) or saturates at every step (int16_saturate). Registers: product, accumulator.
// BUG: 1 the carry between the accumulator's bytes is dropped, 2 one register too many, 3 the wrong end is saturated to.
module int_mac #(
    parameter SATURATE = 0,
    parameter BUG = 0
) (
    input  logic               clk, rst, in_valid, first,
    input  logic signed [7:0]  a, b,
    output logic               out_valid,
    output logic signed [15:0] acc
);
  logic               p_valid, p_first, valid_2;
  logic signed [15:0] p, acc_2, c;
  logic [8:0]         low;
  logic [8:0]         high;
  logic               overflow;
  logic [15:0]        ends;

  assign c = p_first ? 16'sd0 : acc_2;
  assign low = {1'b0, c[7:0]} + {1'b0, p[7:0]};
  assign high = {c[15], c[15:8]} + {p[15], p[15:8]} + {8'd0, low[8] & (BUG != 1)};
  assign overflow = high[8] != high[7];
  assign ends = (high[8] ^ (BUG == 3)) ? 16'h8000 : 16'h7fff;

  always @(posedge clk) begin
    p_valid <= in_valid & !rst;
    p_first <= first;
    p <= a * b;
    valid_2 <= p_valid & !rst;
    if (rst) acc_2 <= 16'sd0;
    else if (p_valid) acc_2 <= (overflow && SATURATE != 0) ? ends : {high[7:0], low[7:0]};
  end

  generate
    if (BUG == 2) begin : late
      logic               valid_3;
      logic signed [15:0] acc_3;
      always @(posedge clk) begin
        valid_3 <= valid_2 & !rst;
        acc_3 <= acc_2;
      end
      assign out_valid = valid_3;
      assign acc = acc_3;
    end else begin : on_time
      assign out_valid = valid_2;
      assign acc = acc_2;
    end
  endgenerate
endmodule
