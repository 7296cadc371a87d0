/** Ids of all commands of RapidFire Lab. */
export namespace CommandIDs {
  export const showEngine = 'rapidfire-lab:show-engine';
  export const startEngine = 'rapidfire-lab:start-engine';
  export const stopEngine = 'rapidfire-lab:stop-engine';
  export const openSidebar = 'rapidfire-lab:open-sidebar';
  export const openDashboard = 'rapidfire-lab:open-dashboard';
  export const stopRuns = 'rapidfire-lab:stop-runs';
  export const resumeRuns = 'rapidfire-lab:resume-runs';
  export const cloneRun = 'rapidfire-lab:clone-run';
  export const deleteRuns = 'rapidfire-lab:delete-runs';
  export const cancelAll = 'rapidfire-lab:cancel-all';
  export const enableDesktopNotifications =
    'rapidfire-lab:enable-desktop-notifications';
}
