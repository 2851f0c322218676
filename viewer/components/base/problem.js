// @ts-check
/** What went wrong when something was asked: nobody answered, or a problem JSON (RFC 9457) came back. */

export class ApiError extends Error {
  /** @param {number} status 0 when nothing answered @param {any} problem the problem JSON */
  constructor(status, problem) {
    super(problem?.detail || (status ? `the server answered ${status}` : "the viewer does not answer"));
    this.status = status;
    this.problem = problem ?? {};
    this.away = status === 0 || status === 502 || status === 503;
  }
}
