/** What every container runs on: busybox and nothing else. The second name is for tests that change an image. */
export const image = 'runbook.local/busybox:1';
export const nextImage = 'runbook.local/busybox:2';
export const pauseImage = 'runbook.local/pause:1';
