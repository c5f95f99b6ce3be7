// The radix-2 serial-serial online multiplier, online delay 3: both operands digit by digit (plus - minus), most significant first, N digits
// each. v = 2w + (x y_new + y x_new) / 8, x without its new digit, y with it. `start` comes with the first digits; the digit of weight 2^-i
// stands in the output register after the edge that takes digits i + 3. Behind the N-th digits come zeros.
// BUG: 1 y without its new digit, 2 selection starts a cycle late, 3 a carry of the second row is dropped.
module online_serial_multiplier #(
    parameter N = 8,
    parameter BUG = 0
) (
    input  logic clk, rst, start, x_plus, x_minus, y_plus, y_minus,
    output logic z_plus, z_minus
);
  localparam W = N + 5;  // N + 3 fraction bits beside two integer bits
  logic [W-1:0] s0, c0, s1, c1, s2, c2, row_x, row_y;
  logic [N:0]   x, x_less, y, y_less, x_new, x_less_new, y_new, y_less_new, x_old, y_old, x_less_old, y_less_old, times_x;  // Q and QM = Q - ulp
  logic [N-1:0] place, at;  // one bit: the weight of this clock's digits; none behind the last
  logic         xp, xm, yp, ym;

  // On-the-fly conversion: digits are appended without a carry.
  function automatic logic [N:0] appended(input logic [N:0] q, input logic [N:0] q_less, input logic p, input logic m, input logic [N-1:0] w);
    appended = m ? q_less | {1'b0, w} : p ? q | {1'b0, w} : q;
  endfunction
  function automatic logic [N:0] appended_less(input logic [N:0] q, input logic [N:0] q_less, input logic p, input logic m, input logic [N-1:0] w);
    appended_less = p ? q : m ? q_less : q_less | {1'b0, w};
  endfunction
  function automatic logic [W-1:0] times(input logic [N:0] q, input logic p, input logic m);
    logic [W-1:0] wide;
    wide = {{4{q[N]}}, q};
    times = p ? wide : m ? -wide : {W{1'b0}};
  endfunction
  function automatic logic [W-1:0] majority(input logic [W-1:0] a, input logic [W-1:0] b, input logic [W-1:0] c);
    majority = {(a[W-2:0] & b[W-2:0]) | (a[W-2:0] & c[W-2:0]) | (b[W-2:0] & c[W-2:0]), 1'b0};
  endfunction

  assign at = start ? {1'b1, {(N - 1) {1'b0}}} : place;
  assign xp = x_plus & !x_minus & (at != 0);
  assign xm = x_minus & !x_plus & (at != 0);
  assign yp = y_plus & !y_minus & (at != 0);
  assign ym = y_minus & !y_plus & (at != 0);
  assign x_old = start ? {(N + 1) {1'b0}} : x;
  assign y_old = start ? {(N + 1) {1'b0}} : y;
  assign x_less_old = start ? {1'b1, {N{1'b0}}} : x_less;
  assign y_less_old = start ? {1'b1, {N{1'b0}}} : y_less;
  assign x_new = appended(x_old, x_less_old, xp, xm, at);
  assign y_new = appended(y_old, y_less_old, yp, ym, at);
  assign x_less_new = appended_less(x_old, x_less_old, xp, xm, at);
  assign y_less_new = appended_less(y_old, y_less_old, yp, ym, at);
  assign times_x = (BUG == 1) ? y_old : y_new;

  // In units of the residual's last place, 2^-(N+3), an operand's integer over 8 is that integer.
  assign row_x = times(x_old, yp, ym);
  assign row_y = times(times_x, xp, xm);
  assign s1 = s0 ^ c0 ^ row_x;
  assign c1 = majority(s0, c0, row_x);
  assign s2 = s1 ^ c1 ^ row_y;
  assign c2 = majority(s1, c1, row_y) & ((BUG == 3) ? ~(W'(1) << (W / 2)) : {W{1'b1}});
  always @(posedge clk) begin
    place <= rst ? {N{1'b0}} : at >> 1;
    x <= rst ? {(N + 1) {1'b0}} : x_new;
    y <= rst ? {(N + 1) {1'b0}} : y_new;
    x_less <= rst ? {1'b1, {N{1'b0}}} : x_less_new;
    y_less <= rst ? {1'b1, {N{1'b0}}} : y_less_new;
  end

  online_residual #(.W(W), .DELAY((BUG == 2) ? 4 : 3)) residual (
      .clk, .rst, .start, .twice_sum(s0), .twice_carry(c0), .v_sum(s2), .v_carry(c2), .z_plus, .z_minus);
endmodule
