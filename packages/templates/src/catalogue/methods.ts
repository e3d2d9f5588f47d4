/** Methods that only look, as actions of the catalogue list them. */
export const READ = ['GET', 'HEAD'];

/** Methods by which something is made, changed or removed. */
export const WRITE = ['POST', 'PUT', 'PATCH', 'DELETE'];
