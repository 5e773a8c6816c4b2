package harness

// Room is one app of one workspace.
type Room struct{ Workspace, App string }

// Name is the event that the room's updates arrive as.
func (r Room) Name() string { return "workspace_" + r.Workspace + "_app_" + r.App }

func (r Room) payload() map[string]any {
	return map[string]any{"workspaceId": r.Workspace, "appId": r.App}
}

// Update is what a member of a room is sent.
type Update struct {
	Event       string         `json:"event"`
	WorkspaceID string         `json:"workspaceId"`
	AppID       string         `json:"appId"`
	Payload     map[string]any `json:"payload"`
	UserID      string         `json:"userId"`
	Position    string         `json:"position"`
}

// Reply is the answer to what a client said.
type Reply struct {
	Status   string         `json:"status"`
	Event    string         `json:"event"`
	Payload  map[string]any `json:"payload"`
	Position string         `json:"position"`
	Error    *struct {
		Code    string `json:"code"`
		Name    string `json:"name"`
		Message string `json:"message"`
	} `json:"error"`
}
